"""Steps of time in words, as weights keep them."""

import numpy as np

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


# MERGED: Months of any calendar, as steps of one size.


EPOCH = "seconds since 1970-01-01"
DAY = 86_400
SHORTEST_MONTH = 28 * DAY
_LONGEST_MONTH = 31 * DAY

STANDARD = "standard"
"""The calendar of NumPy's datetime64, from 1582-10-15 on."""


def month_steps(seconds: np.ndarray, calendar: str) -> np.ndarray | None:
    """Months from each time to the next `[T - 1]`; None where the times do not go by months.

    Args:
        seconds: int64 `[T]` since 1970, rising by `SHORTEST_MONTH` or more; T is 2 or more.
        calendar: CF name of their calendar.
    """
    months, into, length = _placed(seconds, calendar)
    steps = np.diff(seconds)
    is_even = not (steps % steps.min()).any()
    # Such as every 30 days, which often falls into the next month.
    if is_even and not (_is_one(into) or _is_one(length - into) or _is_middle(into, length)):
        return None
    counts = np.diff(months)
    shares = steps / np.maximum(counts, 1)
    if counts.min() < 1 or shares.min() < SHORTEST_MONTH or shares.max() > _LONGEST_MONTH:
        return None
    return counts


def later_months(seconds: np.ndarray, index: int, numbers: np.ndarray, calendar: str) -> np.ndarray:
    """The times so many months after one of `seconds`, as int64 seconds since 1970.

    They keep its day; or the end or the middle of the month, where all of `seconds` are there.
    """
    months, into, length = _placed(seconds, calendar)
    start = _starts(months[index] + numbers, calendar)
    end = _starts(months[index] + numbers + 1, calendar)
    if not _is_one(into) and _is_one(length - into):
        return end - (length - into)[index]
    if not _is_one(into) and _is_middle(into, length):
        return start + (end - start) // 2
    # In a shorter month, its last day.
    return np.minimum(start + into[index], end - DAY + into[index] % DAY)


def _placed(seconds, calendar):
    """Of each time: its month, counted on from year to year; seconds into it, and its length."""
    if calendar == STANDARD:
        months = seconds.astype("datetime64[s]").astype("datetime64[M]").astype(np.int64)
    else:
        import cftime

        dates = cftime.num2date(seconds, EPOCH, calendar)
        months = np.array([12 * date.year + date.month - 1 for date in dates])
    start = _starts(months, calendar)
    return months, seconds - start, _starts(months + 1, calendar) - start


def _starts(months, calendar):
    if calendar == STANDARD:
        return months.astype("datetime64[M]").astype("datetime64[s]").astype(np.int64)
    import cftime

    dates = [
        cftime.datetime(int(month) // 12, int(month) % 12 + 1, 1, calendar=calendar)
        for month in months
    ]
    return np.asarray(cftime.date2num(dates, EPOCH, calendar), np.int64)


def _is_one(values):
    return bool((values == values[0]).all())


def _is_middle(into, length):
    return bool((2 * into == length).all())
