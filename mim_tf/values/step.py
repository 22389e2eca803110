"""Steps of time: seconds or calendar months, and the words in which weights files keep them."""

from mim_tf.errors import MimError

Step = tuple[int, str]
"""A count of "seconds" or "months"; 0 where the step is unknown."""

DAY = 86_400
_SIZES = {
    "seconds": {"day": DAY, "hour": 3600, "minute": 60, "second": 1},
    "months": {"year": 12, "month": 1},
}


def step_in_words(step: int, unit: str) -> str:
    """Return a step as text, such as "6 hours", "1 month" or "90 seconds"."""
    name, size = next(pair for pair in _SIZES[unit].items() if step % pair[1] == 0)
    return f"{step // size} {name if step == size else f'{name}s'}"


def step_from_words(words: str) -> Step:
    """Return the step that `step_in_words` wrote; raise `MimError` for other words."""
    count, _, name = words.partition(" ")
    for unit, sizes in _SIZES.items():
        size = sizes.get(name.removesuffix("s"))
        if size and count.isdecimal() and len(count) < 16 and int(count) > 0:
            return int(count) * size, unit
    raise MimError(f"Expected a step of time such as '6 hours' or '1 month', got {words!r}.")
