"""Comparisons as tables in Markdown, LaTeX or HTML."""

from collections.abc import Sequence
from xml.etree import ElementTree

from mim_tf.errors import MimError
from mim_tf.evaluation.compare import Comparison
from mim_tf.evaluation.direction import direction

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
            "yes" if each.certain else "no",
        ]
        for each in comparison.differences
    ]
    return [["score", "difference", "mean [95 %]", "better", "certain"], *rows]


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
