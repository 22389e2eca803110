"""Steps of time: seconds or calendar months, and the words in which weights files keep them."""

import re

from mim_tf.errors import MimError

Step = tuple[float, str]
"""A count of "seconds" or "months"; 0 where the step is unknown."""

SAME = 1.02
"""Ratio of steps that count as one: of 29.97 and 30 frames a second, but not of 24 and 25."""

DAY = 86_400
_SIZES = {
    "seconds": {"day": DAY, "hour": 3600, "minute": 60, "second": 1},
    "months": {"year": 12, "month": 1},
}


def step_in_words(step: float, unit: str) -> str:
    """Return a step as text, such as "6 hours", "1 month" or "0.0333 seconds" (three digits)."""
    if step % 1 and (step := float(f"{step:.3g}")) % 1:
        return f"{step:g} {unit}"
    step = int(step)
    name, size = next(pair for pair in _SIZES[unit].items() if step % pair[1] == 0)
    return f"{step // size} {name if step == size else f'{name}s'}"


def step_from_words(words: str) -> Step:
    """Return the step that `step_in_words` wrote; raise `MimError` for other words."""
    count, _, name = words.partition(" ")
    for unit, sizes in _SIZES.items():
        size = sizes.get(name.removesuffix("s"))
        if size and count.isdecimal() and len(count) < 16 and int(count) > 0:
            return int(count) * size, unit
    is_number = re.fullmatch(r"\d{1,15}(\.\d{1,15})?(e-\d\d)?", count)
    if name == "seconds" and is_number and float(count):
        return float(count), name
    raise MimError(f"Expected a step of time such as '6 hours' or '1 month', got {words!r}.")


def are_same_steps(words: str, others: str) -> bool:
    """Return whether two steps in words have one unit and a ratio of at most `SAME`."""
    (step, unit), (other, other_unit) = map(step_from_words, (words, others))
    return unit == other_unit and max(step, other) <= SAME * min(step, other)
