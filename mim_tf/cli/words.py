"""Names in sentences."""

import difflib
from collections.abc import Iterable, Sequence


def listed(words: Sequence[str]) -> str:
    """`a, b or c`."""
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def did_you_mean(wrong: str, known: Iterable[str], prefix: str = "") -> str:
    """A question for the name in `known` nearest to `wrong`; empty if none is near."""
    near = difflib.get_close_matches(wrong, list(known), n=1)
    return f" Did you mean {prefix}{near[0]}?" if near else ""
