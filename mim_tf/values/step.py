"""Steps of time: seconds or calendar months, and the words in which weights files keep them."""

import numpy as np

from mim_tf.errors import MimError

Step = tuple[int, str]
"""A count of "seconds" or "months"; 0 where the step is unknown."""

EPOCH = "seconds since 1970-01-01"
DAY = 86_400
SHORTEST_MONTH, LONGEST_MONTH = 28 * DAY, 31 * DAY
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


def month_steps(seconds: np.ndarray, calendar: str) -> np.ndarray | None:
    """Return the months from each time to the next, or None where times do not go by months.

    Args:
        seconds: at least two times, int64 since 1970, at least `SHORTEST_MONTH` apart.
        calendar: CF name of their calendar.
    """
    months, into, length = _in_months(seconds, calendar)
    steps, counts = np.diff(seconds), np.diff(months)
    # Steps of one length, such as 30 days, often fall into the next month by accident. They are
    # months only if all times have the same place in their month.
    if not (steps % steps.min()).any() and _anchor(into, length) is None:
        return None
    shares = steps / np.maximum(counts, 1)
    if counts.min() < 1 or shares.min() < SHORTEST_MONTH or shares.max() > LONGEST_MONTH:
        return None
    return counts


def later_months(seconds: np.ndarray, index: int, numbers: np.ndarray, calendar: str) -> np.ndarray:
    """Return the times that many months after `seconds[index]`, int64 seconds since 1970.

    They have the same day, or the end or middle of the month where all of `seconds` have it.
    """
    months, into, length = _in_months(seconds, calendar)
    start, end = (_starts(months[index] + numbers + later, calendar) for later in (0, 1))
    anchor = _anchor(into, length)
    if anchor == "end":
        return end - (length - into)[index]
    if anchor == "middle":
        return start + (end - start) // 2
    # The 31st becomes the last day of a shorter month.
    return np.minimum(start + into[index], end - DAY + into[index] % DAY)


def _in_months(seconds, calendar):
    """Return the month of each time (counted across years), the seconds into it, its length."""
    import cftime

    dates = cftime.num2date(seconds, EPOCH, calendar)
    months = np.array([12 * date.year + date.month - 1 for date in dates])
    start = _starts(months, calendar)
    return months, seconds - start, _starts(months + 1, calendar) - start


def _starts(months, calendar):
    import cftime

    dates = [cftime.datetime(m // 12, m % 12 + 1, 1, calendar=calendar) for m in months.tolist()]
    return np.asarray(cftime.date2num(dates, EPOCH, calendar), np.int64)


def _anchor(into, length):
    """Return the place in the month that all times share, or None."""
    if np.ptp(into) == 0:
        return "start"
    if np.ptp(length - into) == 0:
        return "end"
    return "middle" if (2 * into == length).all() else None
