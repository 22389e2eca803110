"""Steps of time in words, as weights keep them."""

from mim_tf.errors import MimError

Step = tuple[int, str]
"""How many, of "seconds" or "months"; 0 where it is unknown."""

_SIZES = {
    "seconds": {"day": 86_400, "hour": 3600, "minute": 60, "second": 1},
    "months": {"year": 12, "month": 1},
}


def step_in_words(step: int, unit: str) -> str:
    """Such as "6 hours", "1 month", "90 seconds"."""
    name, size = next(pair for pair in _SIZES[unit].items() if step % pair[1] == 0)
    return f"{step // size} {name if step == size else f'{name}s'}"


def step_from_words(words: str) -> Step:
    """The step that `step_in_words` gave these words; `MimError` for others."""
    count, _, name = words.partition(" ")
    for unit, sizes in _SIZES.items():
        size = sizes.get(name.removesuffix("s"))
        if size and count.isdecimal() and len(count) < 16 and int(count) > 0:
            return int(count) * size, unit
    raise MimError(f"Expected a step of time such as '6 hours' or '1 month', received {words!r}.")
