"""Numbers, lists and tables as text, for messages, terminals and Markdown."""

import difflib
import re
from collections.abc import Iterable, Sequence


def number(value: float | None, missing: str = "-") -> str:
    """Return a number with four digits, or `missing` for None."""
    return missing if value is None else f"{value:.4g}"


def listed(words: Iterable[object], last: str = "or") -> str:
    """Return `a, b or c`; an empty text for no words."""
    *others, final = [*map(str, words)] or [""]
    return f"{', '.join(others)} {last} {final}" if others else final


def duration(seconds: float) -> str:
    """Return seconds in the largest unit that fits, such as `7 min` or `2.5 h`."""
    for unit, size in (("days", 86400), ("h", 3600)):
        if seconds >= size:
            count = seconds / size
            return f"{count:.2g} {unit}" if count < 10 else f"{count:.0f} {unit}"
    return f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"


_UNPRINTABLE = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """Return text in which control characters except tabs and line breaks are escaped.

    Names and texts of files could otherwise move the cursor of a terminal, or recolour it. Bytes
    of a name that are not UTF-8 are escaped too, because they cannot be encoded.
    """
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def text_table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a line for each row, its cells aligned in columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]


def one_line(text: str) -> str:
    """Return text with a space instead of each line break, such as of a file's name."""
    return re.sub(r"\s*[\r\n]\s*", " ", text)


def literal(text: str) -> str:
    """Return text that Matplotlib draws as it is, not as a formula between two dollar signs."""
    return printable(text).replace("$", r"\$")


def markdown_text(text: str) -> str:
    """Return text on one line that Markdown takes neither for HTML nor for the end of a cell."""
    return re.sub(r"[\\|<]", r"\\\g<0>", one_line(text))


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; the first row is its header, numbers are aligned right."""
    header, *body = [[markdown_text(cell) for cell in row] for row in rows]
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """Return a question with the known word nearest to `wrong`; empty if none is near."""
    near = difflib.get_close_matches(wrong, list(known), n=1)
    return f" Did you mean {near[0]}?" if near else ""
