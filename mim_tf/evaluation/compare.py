"""Which of several evaluations is better, and whether the interval excludes 0."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from absl import logging

from mim_tf.errors import MimError
from mim_tf.evaluation.errors import direction
from mim_tf.evaluation.statistics import mean_interval
from mim_tf.evaluation.stored import Evaluation, basis, read_evaluation


@dataclasses.dataclass(frozen=True)
class Difference:
    """What `other` scores more than `first`, as the mean over sequences where both are defined.

    Attributes:
        mean: None where no sequence has the score in both.
        interval: 95 %, of a paired bootstrap over recordings; None for fewer than two.
        better: name of the better one; None where the score does not say (sharpness), or where
            they are equal.
        excludes_zero: whether the interval does.
    """

    first: str
    other: str
    score: str
    mean: float | None
    interval: list[float] | None
    better: str | None
    excludes_zero: bool

    @property
    def sentence(self) -> str:
        """Which is better, by how much, and whether the interval excludes 0."""
        pair = f"{self.other} and {self.first}"
        if self.mean is None:
            return f"{pair} cannot be compared in {self.score}: no sequence has it in both."
        if not self.mean:
            return f"{pair} do not differ in {self.score}."
        amount = f"{abs(self.mean):.4g}"
        if self.interval:
            # Of the amount, which has no sign.
            low, high = sorted(np.sign(self.mean) * np.array(self.interval))
            amount += f" [{low:.4g}, {high:.4g}]"
        if self.better is None:
            return (
                f"{self.other} is {'higher' if self.mean > 0 else 'lower'} than {self.first} in "
                f"{self.score} by {amount}, which does not say which is better."
            )
        worse = ({self.first, self.other} - {self.better}).pop()
        return (
            f"{self.better} is better than {worse} in {self.score} by {amount}, "
            f"{'and' if self.excludes_zero else 'but'} the interval "
            f"{'excludes' if self.excludes_zero else 'does not exclude'} 0."
        )


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Evaluations on the same sequences.

    Attributes:
        evaluations: in the order given.
        differences: of each later one from the first, for each score.
    """

    evaluations: list[Evaluation]
    differences: list[Difference]

    @property
    def deciding(self) -> list[str]:
        """Those of `scores` of which a higher or a lower value is better."""
        return [name for name in self.scores if direction(name)]

    @property
    def scores(self) -> list[str]:
        """Names of the scores that all evaluations have."""
        first, *others = (evaluation.scores["mean"] for evaluation in self.evaluations)
        return [name for name in first if all(name in mean for mean in others)]

    def check_score(self, score: str) -> None:
        """Raises `MimError` if no run can be better in `score`: one they lack, or sharpness."""
        if score not in self.deciding:
            raise MimError(
                f"--score must be one of {', '.join(self.deciding)}; received {score!r}."
            )

    def curves(self, score: str) -> dict[str, list[float | None]]:
        """A score by lead time `[horizon]`, of each evaluation and of the baselines."""
        parts = {each.name: each.scores for each in self.evaluations}
        parts |= self.evaluations[0].scores.get("baselines", {})
        return {name: part["per_frame"][score] for name, part in parts.items()}

    def conclusion(self, score: str = "mse") -> list[str]:
        """One sentence for each later evaluation: which is better."""
        return [each.sentence for each in self.differences if each.score == score]

    def best(self, score: str = "mse") -> Evaluation:
        """The evaluation with the best mean over sequences; the first of equal ones."""
        means = [_mean(each.per_sequence[score]) for each in self.evaluations]
        ranks = [-np.inf if mean is None else direction(score) * mean for mean in means]
        return self.evaluations[int(np.argmax(ranks))]

    def against_best(self, score: str = "mse") -> list[Difference]:
        """The difference of each other evaluation from the best."""
        best = self.best(score)
        return [_difference(best, each, score) for each in self.evaluations if each is not best]

    def verdict(self, score: str = "mse") -> str:
        """One sentence: which is the best, and whether the intervals exclude 0."""
        differences = self.against_best(score)
        if len(differences) == 1 or all(each.mean is None for each in differences):
            return " ".join(each.sentence for each in differences)
        best, count = self.best(score).name, len(self.evaluations)
        open_ones = [each.other for each in differences if not each.excludes_zero]
        if not open_ones:
            return f"{best} is the best of {count} in {score}, and every interval excludes 0."
        listed = " or ".join(filter(None, [", ".join(open_ones[:-1]), open_ones[-1]]))
        return (
            f"{best} scores best of {count} in {score}, but the interval of its difference from "
            f"{listed} does not exclude 0."
        )


def compare(folders: Sequence[str | Path], names: Sequence[str] = ()) -> Comparison:
    """Compares evaluations, or the best evaluations of runs, with the first of them.

    Args:
        folders: two or more, of runs or of evaluations.
        names: what to call them; by default what differs in their paths.

    Raises:
        MimError: an evaluation is missing or damaged, or they are not of the same sequences,
            lengths and protocol; or the names are not as many, or not different.
    """
    if len(folders) < 2:
        raise MimError(f"Expected two or more evaluations to compare, received {len(folders)}.")
    paths = [Path(os.path.realpath(folder)) for folder in folders]
    if len(set(paths)) < len(paths):
        raise MimError("Expected different evaluations, received the same folder twice.")
    if names and (len(names) != len(folders) or len(set(names)) < len(names)):
        raise MimError(
            f"Expected {len(folders)} different names, one for each evaluation, received "
            f"{', '.join(names)}."
        )
    names = names or _what_differs(paths)
    first, *others = evaluations = [
        read_evaluation(folder, name) for folder, name in zip(folders, names, strict=True)
    ]
    for other in others:
        _check_same_test(first, other)
    for each in evaluations:
        if each.groups is None:
            logging.warning("%s: %s", each.name, basis(each.scores))
    comparison = Comparison(evaluations, [])
    for other in others:
        comparison.differences.extend(
            _difference(first, other, score) for score in comparison.scores
        )
    return comparison


def _what_differs(paths: list[Path]) -> list[str]:
    """The parts of different paths between those that all begin with and all end with."""
    shortest = min(len(path.parts) for path in paths)

    def same(parts):
        return next((n for n in range(shortest) if len({part[n] for part in parts}) > 1), shortest)

    first = min(same([path.parts for path in paths]), shortest - 1)
    last = min(same([path.parts[::-1] for path in paths]), shortest - first - 1)
    return [str(Path(*path.parts[first : len(path.parts) - last])) for path in paths]


def _check_same_test(first, other):
    for name, description in (
        ("protocol", "protocol"),
        ("input_length", "context length"),
        ("sequences", "number of sequences"),
    ):
        ours, theirs = first.scores[name], other.scores[name]
        if ours != theirs:
            raise MimError(
                f"{other.name} cannot be compared with {first.name}: its {description} is "
                f"{theirs}, not {ours}. Evaluate both in the same way."
            )
    ours, theirs = first.scores["data"], other.scores["data"]
    is_one_place = all(ours.get(name) == theirs.get(name) for name in ("source", "paths"))
    is_one_scale = ours.get("scale") == theirs.get("scale")
    if not is_one_scale and (is_one_place or ours["sha256"] == theirs["sha256"]):
        raise MimError(
            f"{other.name} cannot be compared with {first.name}: its frames have another scale "
            f"({_scale(theirs)}; not {_scale(ours)}). Train both with the same --scale."
        )
    if ours["sha256"] != theirs["sha256"]:
        raise MimError(
            f"{other.name} cannot be compared with {first.name}: it was evaluated on other "
            f"sequences ({_described(theirs)}; not {_described(ours)}). Evaluate both on one set."
        )


def _scale(data):
    scale = data.get("scale")
    if not scale:
        return "none"
    return f"0 is {scale['low']}, 1 is {scale['high']}{', clipped' * scale.get('clipped', True)}"


def _described(data):
    return f"{data.get('source', 'unknown source')}, SHA-256 {data['sha256'][:8]}"


def _difference(first, other, score):
    values = other.per_sequence[score] - first.per_sequence[score]
    known = ~np.isnan(values)
    groups = None if first.groups is None or other.groups is None else first.groups[known]
    mean, interval = _mean(values), mean_interval(values[known], groups)
    sign = direction(score) * np.sign(mean or 0)
    better = {1: other.name, -1: first.name}.get(sign)
    excludes_zero = interval is not None and not interval[0] <= 0 <= interval[1]
    return Difference(
        first.name, other.name, score, mean, interval, better, bool(better) and excludes_zero
    )


def _mean(values):
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else None


# MERGED: Comparisons as tables in Markdown, LaTeX or HTML.


_ARROWS = {1: "higher is better", -1: "lower is better", 0: ""}


def format_comparison(comparison: Comparison, format: str = "md") -> str:
    """Two tables: scores with 95 % intervals, then differences from the first evaluation.

    Args:
        comparison: of `compare`.
        format: md, latex or html.

    Raises:
        MimError: for another format.
    """
    if format not in _FORMATS:
        raise MimError(f"format must be {', '.join(_FORMATS)}, received {format!r}.")
    tables = [score_table(comparison), difference_table(comparison)]
    return "\n\n".join(map(_FORMATS[format], tables))


def score_table(comparison: Comparison) -> list[list[str]]:
    """Rows of cells: a header, then a score a row, an evaluation a column, the baselines last."""
    evaluations = comparison.evaluations
    baselines = evaluations[0].scores.get("baselines", {})
    header = ["score", *(each.name for each in evaluations), *baselines]
    rows = []
    for score in comparison.scores:
        cells = [
            _with_interval(each.scores["mean"][score], each.scores["intervals"][score])
            for each in evaluations
        ]
        theirs = [_number(part["mean"][score]) for part in baselines.values()]
        hint = _ARROWS[direction(score)]
        rows.append([f"{score} ({hint})" if hint else score, *cells, *theirs])
    return [header, *rows]


def difference_table(comparison: Comparison) -> list[list[str]]:
    """Rows of cells: a header, then one row per evaluation after the first and score."""
    rows = [
        [
            each.score,
            f"{each.other} - {each.first}",
            _with_interval(each.mean, each.interval),
            each.better or "-",
            "yes" if each.excludes_zero else "no",
        ]
        for each in comparison.differences
    ]
    return [["score", "difference", "mean [95 %]", "better", "excludes 0"], *rows]


def _with_interval(mean, interval):
    if interval is None:
        return _number(mean)
    return f"{_number(mean)} [{_number(interval[0])}, {_number(interval[1])}]"


def _number(value):
    return "-" if value is None else f"{value:.4g}"


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    header, *body = [[cell.replace("|", r"\|") for cell in row] for row in rows]
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


_LATEX = str.maketrans(
    {character: rf"\{character}" for character in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
)


def _latex(rows: Sequence[Sequence[str]]) -> str:
    header, *body = [" & ".join(cell.translate(_LATEX) for cell in row) + r" \\" for row in rows]
    columns = "l" + "r" * (len(rows[0]) - 1)
    start, end = rf"\begin{{tabular}}{{{columns}}}", r"\end{tabular}"
    return "\n".join([start, r"\hline", header, r"\hline", *body, r"\hline", end])


def _html(rows: Sequence[Sequence[str]]) -> str:
    table = ElementTree.Element("table")
    for part, lines, tag in (("thead", rows[:1], "th"), ("tbody", rows[1:], "td")):
        section = ElementTree.SubElement(table, part)
        for line in lines:
            row = ElementTree.SubElement(section, "tr")
            for cell in line:
                ElementTree.SubElement(row, tag).text = cell
    ElementTree.indent(table)
    return ElementTree.tostring(table, encoding="unicode", method="html")


_FORMATS = {"md": _markdown, "latex": _latex, "html": _html}
