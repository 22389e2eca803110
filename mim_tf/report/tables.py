"""Tables of methods and their scores: rows of cells, which each format writes in its own way.

Methods are the evaluations of a comparison and the baselines. The scores of one column have equal
decimals, and the best of all methods is bold. A comparison has one table for the scores of events
at each threshold, and one for all other scores.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from markupsafe import Markup, escape

from mim_tf.errors import MimError
from mim_tf.evaluation.compare import Comparison
from mim_tf.evaluation.errors import direction, is_better, score_title, threshold_of
from mim_tf.evaluation.events import are_comparable
from mim_tf.values.text import markdown_table, markdown_text, one_line

ARROWS = {1: "\N{UPWARDS ARROW}", -1: "\N{DOWNWARDS ARROW}", 0: ""}
MINUS = "\N{MINUS SIGN}"
DIGITS = 4
"""Significant digits of the median of a column."""

BASELINES = {
    "persistence": "Persistence",
    "context_mean": "Mean of the context",
    "optical_flow": "Optical flow",
    "s_prog": "S-PROG",
}
"""Names of baselines as in papers."""


class Cell(NamedTuple):
    """A number with the ends of its interval, as text with ASCII signs."""

    mean: str
    interval: str = ""
    is_best: bool = False

    def __str__(self) -> str:
        return f"{self.mean} {self.interval}".strip()

    def __html__(self) -> Markup:
        """Return the cell for a page; the best is bold, an interval stays on one line."""
        mean, ends = (
            each if each == "-" else each.replace("-", MINUS).replace(" ", "\N{NO-BREAK SPACE}")
            for each in self[:2]
        )
        number = Markup("<b>{}</b>" if self.is_best else "{}").format(mean)
        return number + (Markup(" <small>{}</small>").format(ends) if ends else "")


class Table(NamedTuple):
    """A header and rows of text or cells; `first_runs` is the number of rows above the runs."""

    caption: str
    header: list[str]
    rows: list[list[str | Cell]]
    first_runs: int = 0


def methods(comparison: Comparison) -> list[tuple[str, dict]]:
    """Return name and scores of each evaluation, then of each baseline."""
    runs = {each.name: each.scores for each in comparison.evaluations}
    baselines = {BASELINES.get(name, name): part for name, part in comparison.baselines.items()}
    baselines = {f"{n} (baseline)" if n in runs else n: part for n, part in baselines.items()}
    return [*runs.items(), *baselines.items()]


def decimals(values: Iterable[float | None], digits: int = DIGITS) -> int:
    """Return the decimals with which the median of `values` has so many significant digits."""
    sizes = [abs(value) for value in values if value]
    return max(0, digits - 1 - math.floor(math.log10(np.median(sizes)))) if sizes else 0


def score_cells(comparison: Comparison, score: str) -> list[Cell]:
    """Return the cell of each method for the mean of a score."""
    parts = [part for _, part in methods(comparison)]
    means = [part["mean"][score] for part in parts]
    ends = [part.get("intervals", {}).get(score) for part in parts]
    can_be_best = are_comparable(comparison.evaluations[0].scores.get("protocol", ""), score, parts)
    return _column(score, means, ends, decimals(means), can_be_best)


def lead_time_cells(comparison: Comparison, score: str) -> list[list[Cell]]:
    """Return for each lead time the cells of all methods."""
    curves = [part["per_frame"][score] for _, part in methods(comparison)]
    places = decimals(value for curve in curves for value in curve)
    return [
        # The best of those that are defined would be the worst one: a FAR of false alarms alone.
        _column(score, values, [None] * len(curves), places, None not in values)
        for values in zip(*curves, strict=True)
    ]


def _column(score, means, ends, places, can_be_best):
    can_be_best = can_be_best and len(means) > 1 and direction(score) != 0
    cells = []
    for mean, pair in zip(means, ends, strict=True):
        is_beaten = mean is None or any(is_better(score, other, mean) for other in means)
        cells.append(_cell(mean, pair, places, can_be_best and not is_beaten))
    return cells


def _cell(mean, ends, places, is_best=False):
    low, high = ends or (None, None)
    texts = ["-" if each is None else f"{each:z.{places}f}" for each in (mean, low, high)]
    return Cell(texts[0], f"[{texts[1]}, {texts[2]}]" if ends else "", is_best)


def title_with_arrow(score: str, threshold: bool = True) -> str:
    """Return the title of a score with the direction in which it is better."""
    return f"{score_title(score, threshold)} {ARROWS[direction(score)]}".strip()


def by_heading(scores: Iterable[str]) -> dict[str, list[str]]:
    """Return scores by a heading with their threshold; those without one first, with none."""
    found: dict[str, list[str]] = {"": []}
    for score in scores:
        threshold = threshold_of(score)
        found.setdefault(threshold and f"Threshold {threshold}", []).append(score)
    return {heading: names for heading, names in found.items() if names}


def score_tables(comparison: Comparison, scores: Sequence[str] = ()) -> list[Table]:
    """Return a table for each threshold: a method a row, the baselines first, a score a column.

    `scores` are those to show; by default all.
    """
    for score in scores:
        _check(comparison, score, "--scores")
    return [
        _by_method(
            comparison,
            heading,
            [title_with_arrow(score, threshold=False) for score in names],
            [score_cells(comparison, score) for score in names],
        )
        for heading, names in by_heading(scores or comparison.scores).items()
    ]


def lead_time_table(comparison: Comparison, score: str) -> Table:
    """Return a table of one score: a method a row, a lead time a column."""
    _check(comparison, score, "--by_lead_time")
    columns = lead_time_cells(comparison, score)
    times = [str(time) for time in range(1, len(columns) + 1)]
    caption = f"{title_with_arrow(score)} by lead time in frames, without intervals"
    return _by_method(comparison, caption, times, columns)


def _check(comparison, score, flag):
    if score not in comparison.scores:
        known = ", ".join(comparison.scores)
        raise MimError(f"Expected one of {known} as {flag}, got {score!r}.")


def _by_method(comparison, caption, titles, columns):
    names = [name for name, _ in methods(comparison)]
    rows = [[name, *cells] for name, *cells in zip(names, *columns, strict=True)]
    count = len(comparison.evaluations)
    return Table(caption, ["Method", *titles], rows[count:] + rows[:count], len(rows) - count)


def difference_table(comparison: Comparison, scores: Sequence[str] = ()) -> Table:
    """Return a table of the differences of each later evaluation from the first.

    `scores` are those to show; by default all.
    """
    shown = [each for each in comparison.differences if not scores or each.score in scores]
    sizes: dict[str, list[float]] = {}
    for each in shown:
        sizes.setdefault(each.score, []).append(each.size)
    rows: list[list[str | Cell]] = []
    for each in shown:
        names = [score_title(each.score), f"{each.other} {MINUS} {each.first}"]
        cell = _cell(each.mean, each.interval, decimals(sizes[each.score], DIGITS - 1))
        excludes = ("yes" if each.excludes_zero else "no") if each.better else "-"
        rows.append([*names, cell, each.better or "-", excludes])
    return Table("", ["Score", "Difference", "Mean [95 %]", "Better", "Excludes 0"], rows)


# Formats.


def format_tables(tables: Sequence[Table], form: str, notes: Sequence[str] = ()) -> str:
    """Return tables as Markdown, LaTeX or HTML, with notes below; in LaTeX they are comments.

    LaTeX needs the package booktabs.
    """
    if form not in _FORMATS:
        raise MimError(f"Expected one of {', '.join(_FORMATS)} as --format, got {form!r}.")
    write, write_note = _FORMATS[form]
    parts = [write(table) for table in tables] + ["\n".join(write_note(each) for each in notes)]
    return "\n\n".join(filter(None, parts))


def _markdown(table):
    def text(cell):
        if isinstance(cell, Cell) and cell.is_best:
            return f"**{cell.mean}** {cell.interval}".strip()
        return str(cell)

    rows = markdown_table([table.header, *([*map(text, row)] for row in table.rows)])
    return f"{markdown_text(table.caption)}\n\n{rows}" if table.caption else rows


_LATEX = str.maketrans(
    {character: rf"\{character}" for character in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {character: f"${character}$" for character in "<>|"}
    | {MINUS: "$-$", ARROWS[1]: r"$\uparrow$", ARROWS[-1]: r"$\downarrow$"}
)


def _latex(table):
    # The interval of a score has a column of its own, so that the digits of both are aligned.
    wide = [
        any(isinstance(cell, Cell) and cell.interval for cell in column)
        for column in zip(*table.rows, strict=True)
    ]
    kinds = "".join(
        "r@{~}r" if each else "r" if number else "l" for number, each in enumerate(wide)
    )

    def text(cell, is_wide):
        if not isinstance(cell, Cell):
            words = one_line(cell).translate(_LATEX)
            return rf"\multicolumn{{2}}{{c}}{{{words}}}" if is_wide else words
        mean = "--" if cell.mean == "-" else cell.mean
        if mean != "--":
            mean = rf"$\mathbf{{{mean}}}$" if cell.is_best else f"${mean}$"
        interval = rf"{{\scriptsize ${cell.interval}$}}" if cell.interval else ""
        return f"{mean} & {interval}".rstrip() if is_wide else mean

    def line(row):
        return " & ".join(text(*each) for each in zip(row, wide, strict=True)) + r" \\"

    lines = [line(row) for row in table.rows]
    if 0 < table.first_runs < len(lines):
        lines.insert(table.first_runs, r"\midrule")
    caption = [f"% {one_line(table.caption)}"] if table.caption else []
    start = [rf"\begin{{tabular}}{{{kinds}}}", r"\toprule", line(table.header), r"\midrule"]
    return "\n".join([*caption, *start, *lines, r"\bottomrule", r"\end{tabular}"])


def _html(table):
    lines = [
        "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row)
        for tag, row in [("th", table.header), *(("td", row) for row in table.rows)]
    ]
    caption = [f"<caption>{escape(table.caption)}</caption>"] if table.caption else []
    return "\n".join(["<table>", *caption, *(f"<tr>{line}</tr>" for line in lines), "</table>"])


_FORMATS: dict[str, tuple[Callable[[Table], str], Callable[[str], str]]] = {
    "md": (_markdown, markdown_text),
    "latex": (_latex, lambda note: f"% {one_line(note)}"),
    "html": (_html, lambda note: f"<p>{escape(note)}</p>"),
}
