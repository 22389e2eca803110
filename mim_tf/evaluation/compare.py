"""Which of several evaluations is better, and whether the interval of the difference excludes 0.

Scores and the differences between them rest on one estimator: a mean score is made of sums
over all sequences, and the differences are of these means. Their intervals come from the bootstrap
resamples that each evaluation stores. All evaluations of the same sequences resample the same
recordings, so subtracting resample by resample gives a paired bootstrap.
"""

import dataclasses
import functools
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from absl import logging

from mim_tf.errors import MimError
from mim_tf.evaluation.errors import direction, score_title, threshold_of
from mim_tf.evaluation.events import are_comparable
from mim_tf.evaluation.statistics import as_json, defined_mean, groups_with, interval, mean_interval
from mim_tf.evaluation.stored import Evaluation, read_evaluation
from mim_tf.values.text import listed


@dataclasses.dataclass(frozen=True)
class Difference:
    """Score of `other` minus score of `first`."""

    first: str
    other: str
    score: str
    mean: float | None  # None where the score is not defined in the same way in both
    interval: list[float] | None  # 95 %, of a paired bootstrap; None for fewer than two recordings
    better: str | None  # None where the score does not say (sharpness), or they are equal
    excludes_zero: bool  # whether one is better and the interval excludes 0

    @property
    def size(self) -> float:
        """The largest absolute value of the mean and the ends of the interval."""
        return max(map(abs, [self.mean or 0, *(self.interval or ())]))

    @property
    def sentence(self) -> str:
        """Which is better, by how much, and whether the interval excludes 0."""
        pair, title = f"{self.other} and {self.first}", score_title(self.score)
        if self.mean is None:
            parts = "at the same lead times and thresholds"
            return f"{pair} cannot be compared in {title}: it is not defined {parts} in both."
        if not self.mean:
            return f"{pair} do not differ in {title}."
        amount = f"{abs(self.mean):.4g}"
        if self.interval:
            # The amount has no sign, so the interval is turned with it.
            low, high = sorted(np.sign(self.mean) * np.array(self.interval))
            amount += f" [{low:.4g}, {high:.4g}]"
        if self.better is None:
            return (
                f"{self.other} is {'higher' if self.mean > 0 else 'lower'} than {self.first} in "
                f"{title} by {amount}, which does not say which is better."
            )
        worse = self.first if self.better == self.other else self.other
        end = "and the interval excludes 0" if self.excludes_zero else "but the interval includes 0"
        if not self.interval:
            end = "of which there is no interval"
        return f"{self.better} is better than {worse} in {title} by {amount}, {end}."


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One or more evaluations on the same sequences, in the order given."""

    evaluations: list[Evaluation]

    @functools.cached_property
    def differences(self) -> list[Difference]:
        """The difference of each later evaluation from the first, for each score."""
        first, *others = self.evaluations
        return [self._difference(first, other, score) for other in others for score in self.scores]

    @property
    def scores(self) -> list[str]:
        """Names of the scores that all evaluations have, and that mean the same in all."""
        first, *others = (evaluation.scores["mean"] for evaluation in self.evaluations)
        shared = [name for name in first if all(name in mean for mean in others)]
        if all(
            set(filter(threshold_of, mean)) == set(filter(threshold_of, first)) for mean in others
        ):
            return shared
        # CSI is a mean over thresholds, which differ.
        return [each for each in shared if each.partition("_")[0] != "CSI" or threshold_of(each)]

    @property
    def baselines(self) -> dict[str, dict]:
        """Scores of the baselines by name, which are the same in all evaluations."""
        return self.evaluations[0].scores.get("baselines", {})

    @functools.cached_property
    def is_paired(self) -> bool:
        """Whether all evaluations stored resamples of the same recordings."""
        groups = [each.groups for each in self.evaluations if each.groups is not None]
        sizes = {len((each.resamples or {}).get("mse", ())) for each in self.evaluations}
        return (
            len(sizes) == 1
            and 0 not in sizes
            and all(np.array_equal(each, groups[0]) for each in groups)
        )

    @property
    def runs(self) -> list[Evaluation]:
        """Evaluations of single runs: those of several seeds one by one."""
        return [run for each in self.evaluations for run in each.seeds or (each,)]

    def check_score(self, score: str) -> None:
        """Raise `MimError` if no run can be better in `score`: one they lack, or sharpness."""
        deciding = [name for name in self.scores if direction(name)]
        if score not in deciding:
            raise MimError(f"Expected one of {', '.join(deciding)} as --score, got {score!r}.")

    def conclusion(self, score: str = "mse") -> list[str]:
        """Return a sentence for each later evaluation: which is better, the first or this one."""
        return [each.sentence for each in self.differences if each.score == score]

    def best(self, score: str = "mse") -> Evaluation:
        """Return the evaluation with the best mean; the first of equal ones."""
        means = [self._mean(each, score) for each in self.evaluations]
        ranks = [-np.inf if mean is None else direction(score) * mean for mean in means]
        return self.evaluations[int(np.argmax(ranks))]

    def against_best(self, score: str = "mse") -> list[Difference]:
        """Return the difference of each other evaluation from the best."""
        best = self.best(score)
        others = (each for each in self.evaluations if each is not best)
        return [self._difference(best, each, score) for each in others]

    def verdict(self, score: str = "mse") -> str:
        """Return a sentence: which is the best, and whether the intervals exclude 0."""
        differences = self.against_best(score)
        if len(differences) == 1 or all(each.mean is None for each in differences):
            return " ".join(each.sentence for each in differences)
        best, count, title = self.best(score).name, len(self.evaluations), score_title(score)
        open_ones = [each for each in differences if not each.excludes_zero]
        if not open_ones:
            return f"{best} is the best of {count} in {title}, and every interval excludes 0."
        unknown = [each.other for each in open_ones if each.interval is None]
        equal = [each.other for each in open_ones if each.interval is not None]
        parts = [f"the interval of its difference from {listed(equal)} includes 0"] if equal else []
        parts += [f"there is no interval of that from {listed(unknown)}"] if unknown else []
        return f"{best} scores best of {count} in {title}, but {', and '.join(parts)}."

    def _mean(self, evaluation, score):
        if self.is_paired:
            return evaluation.scores["mean"][score]
        return as_json(defined_mean(evaluation.per_sequence[score]))

    def _difference(self, first, other, score):
        ends: list[float] | None
        if self.is_paired:
            means = [self._mean(each, score) for each in (first, other)]
            both = first.scores, other.scores
            is_open = None in means or not are_comparable(both[0]["protocol"], score, both)
            mean = None if is_open else means[1] - means[0]
            resamples = other.resamples[score] - first.resamples[score]
            known = first.per_sequence[score] + other.per_sequence[score]
            ends = interval(resamples, groups_with(first.groups, known), mean)
        else:
            values = other.per_sequence[score] - first.per_sequence[score]
            mean, values = as_json(defined_mean(values)), values[~np.isnan(values)]
            ends = mean_interval(values)
        better = {1: other.name, -1: first.name}.get(direction(score) * np.sign(mean or 0))
        excludes_zero = bool(better and ends and not ends[0] <= 0 <= ends[1])
        return Difference(first.name, other.name, score, mean, ends, better, excludes_zero)


def compare(folders: Sequence[str | Path], names: Sequence[str] = ()) -> Comparison:
    """Return evaluations, or the best evaluations of runs, of which the first is the reference.

    They are called by `names`; by default by what differs in their paths. Raises `MimError` if they
    are not of the same sequences, lengths, scale and protocol.
    """
    paths = [Path(os.path.realpath(folder)) for folder in folders]
    if len(set(paths)) < len(paths):
        raise MimError(f"Expected different evaluations, got {listed(folders, 'and')}.")
    if names and (len(names) != len(folders) or len(set(names)) < len(names)):
        raise MimError(f"Expected {len(folders)} different --names, got {', '.join(names)}.")
    pairs = zip(folders, names or _what_differs(paths), strict=True)
    comparison = Comparison([read_evaluation(folder, name) for folder, name in pairs])
    for other in comparison.evaluations[1:]:
        _check_same_test(comparison.evaluations[0], other)
    if len(folders) > 1 and not comparison.is_paired:
        logging.warning(
            "Expected resamples.npz of the same recordings in each evaluation. Without it, runs "
            "are compared by the means of their sequences' scores, and intervals assume that "
            "sequences are independent. Evaluate again with this version: %s.",
            ", ".join(each.name for each in comparison.evaluations if each.resamples is None)
            or "all",
        )
    return comparison


def _what_differs(paths: list[Path]) -> list[str]:
    """Return what is left of different paths without the parts they all begin and end with."""
    parts = [list(path.parts) for path in paths]
    if len(parts) == 1:
        return [paths[0].name]
    for end in (0, -1):
        while min(map(len, parts)) > 1 and len({each[end] for each in parts}) == 1:
            for each in parts:
                del each[end]
    return [str(Path(*each)) for each in parts]


def _check_same_test(first, other):
    ours, theirs = first.scores["data"], other.scores["data"]
    names = ("protocol", "input_length", "sequences")
    facts = [(name, first.scores[name], other.scores[name]) for name in names]
    is_same = ours["sha256"] == theirs["sha256"]
    if is_same or all(ours.get(name) == theirs.get(name) for name in ("source", "paths")):
        facts.append(("--scale", _scale(ours), _scale(theirs)))
    if not is_same:
        facts.append(("data", _described(ours), _described(theirs)))
    for name, expected, found in facts:
        if expected != found:
            raise MimError(
                f"Expected {name} {expected} as in {first.name}, got {found} in {other.name}. "
                "Train and evaluate both in the same way."
            )


def _scale(data):
    scale = data.get("scale")
    if not scale:
        return "none"
    clipped = ", clipped" if scale.get("clipped", True) else ""
    ends = [scale[end] for end in ("black", "white") if scale.get(end) is not None]
    shown = f", shown from {ends[0]} to {ends[1]}" if len(ends) == 2 else ""
    return f"0 is {scale['low']}, 1 is {scale['high']}{clipped}{shown}"


def _described(data):
    return f"{data.get('source', 'unknown source')}, SHA-256 {data['sha256']}"
