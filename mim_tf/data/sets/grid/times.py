"""Times of fields: calendars, steps of seconds or calendar months, and gaps."""

import dataclasses
import itertools
from pathlib import Path

import numpy as np

from mim_tf.errors import MimError
from mim_tf.runtime.optional import import_xarray
from mim_tf.values.step import DAY, Step

STANDARD, _PROLEPTIC = "standard", "proleptic_gregorian"
_EPOCH = "seconds since 1970-01-01"
_FIRST_GREGORIAN = np.datetime64("1582-10-15", "s").astype(np.int64)
_MOST_SECONDS = np.iinfo(np.int64).max // 10**9
"""The range of datetime64[ns] around 1970: from 1677 to 2262."""

_ROUNDING = 1e-3
"""Share of a step by which rounding may change it; seconds by which equal steps may differ."""


@dataclasses.dataclass(frozen=True)
class Times:
    """Sorted points in time without duplicates: int64 seconds `[T]` since 1970 in their calendar.

    The calendar has its CF name; it is "proleptic_gregorian" only if there are dates before
    1582-10-15, because it is "standard" from then on.
    """

    seconds: np.ndarray
    calendar: str = STANDARD

    def __len__(self):
        return len(self.seconds)

    @property
    def has_one_gregorian(self) -> bool:
        """Whether all dates are the same in both Gregorian calendars, and in NumPy."""
        return self.calendar == STANDARD and bool((self.seconds >= _FIRST_GREGORIAN).all())

    @property
    def values(self) -> np.ndarray:
        """The times as xarray has them: datetime64[ns], or objects of cftime outside its range."""
        if self.has_one_gregorian and (np.abs(self.seconds) < _MOST_SECONDS).all():
            return self.seconds.astype("datetime64[s]").astype("datetime64[ns]")
        return self._dates(self.seconds)

    def text(self, index: int) -> str:
        """Return a time as text, without trailing zeros."""
        return str(self._dates(self.seconds[index])).removesuffix(":00").removesuffix(" 00:00")

    def in_a_name(self, index: int) -> str:
        """Return a time for names of files, such as 2020-01-01T0600, which sort by time."""
        return self._dates(self.seconds[index]).isoformat().replace(":", "").removesuffix("00")

    def span(self, first: int = 0, end: int | None = None) -> str:
        """Return the first and last of the times from `first` to before `end` as text."""
        return f"{self.text(first)} to {self.text((end or len(self)) - 1)}"

    def position(self, date: str) -> int:
        """Return how many times precede a date such as 2016-01-01 or 2016-01-01T06:00."""
        try:
            parts = np.datetime64(date.strip(), "s").item().timetuple()[:6]
            moment = _cftime().datetime(*parts, calendar=self.calendar)
        except (ValueError, AttributeError):  # AttributeError: NaT, years beyond Python's datetime
            raise MimError(
                f"Expected a date such as 2016-01-01 in --split_dates, got {date!r}."
            ) from None
        seconds = _cftime().date2num(moment, _EPOCH, self.calendar)
        return int(np.searchsorted(self.seconds, seconds))

    def steps(self) -> tuple[np.ndarray, str]:
        """Return the steps from each time to the next `[T - 1]` and their unit, see `Step`."""
        steps = np.diff(self.seconds)
        if not len(steps) or steps.min() < 28 * DAY:
            return steps, "seconds"
        months, into, length = self._in_months()
        counts = np.diff(months)
        days = steps / DAY / np.maximum(counts, 1)
        # Steps of one length, such as 30 days, often fall into the next month by accident. They are
        # months only if all times have the same place in their month.
        by_accident = not (steps % steps.min()).any() and not _anchor(into, length)
        if by_accident or counts.min() < 1 or days.min() < 28 or days.max() > 31:
            return steps, "seconds"
        return counts, "months"

    def following(self, index: int, count: int, step: Step) -> "Times":
        """Return the `count` times after `index`, each a step further.

        After months, they have the same day, or the end or middle of the month where all times
        have it.
        """
        numbers = step[0] * np.arange(1, count + 1)
        if step[1] == "seconds":
            return Times(self.seconds[index] + numbers, self.calendar)
        months, into, length = self._in_months()
        start, end = (self._starts(months[index] + numbers + later) for later in (0, 1))
        anchor = _anchor(into, length)
        # The 31st becomes the last day of a shorter month.
        later = np.minimum(start + into[index], end - DAY + into[index] % DAY)
        if anchor == "end":
            later = end - (length - into)[index]
        if anchor == "middle":
            later = start + (end - start) // 2
        return Times(later, self.calendar)

    def _dates(self, seconds):
        return _cftime().num2date(seconds, _EPOCH, self.calendar)

    def _in_months(self):
        """Return the month of each time (counted across years), the seconds into it, its length."""
        months = np.array([12 * date.year + date.month - 1 for date in self._dates(self.seconds)])
        start = self._starts(months)
        return months, self.seconds - start, self._starts(months + 1) - start

    def _starts(self, months):
        firsts = ((month // 12, month % 12 + 1, 1) for month in months.tolist())
        dates = [_cftime().datetime(*first, calendar=self.calendar) for first in firsts]
        return np.asarray(_cftime().date2num(dates, _EPOCH, self.calendar), np.int64)


def _anchor(into, length):
    """Return the place in the month that all times share; empty if there is none."""
    if np.ptp(into) == 0:
        return "start"
    if np.ptp(length - into) == 0:
        return "end"
    return "middle" if (2 * into == length).all() else ""


def _cftime():
    import_xarray("cftime")  # raises MimError if it is not installed
    import cftime

    return cftime


def read_times(path: Path, values: np.ndarray) -> Times:
    """Return times that xarray decoded; raise `MimError` unless they are sorted and complete."""
    writing = "If it is still being written, wait"
    if not values.size:
        raise MimError(f"{path}: expected at least one time, got none. {writing}.")
    if values.dtype.kind == "M":
        missing = np.isnat(values)
        if missing.any():
            number = f"{np.argmax(missing) + 1} of {len(values)}"
            raise MimError(f"{path}: expected a time for field number {number}. {writing}.")
        exact = values.astype("datetime64[us]").astype(np.int64) / 1e6
        calendar = _PROLEPTIC
    else:
        calendar = values[0].calendar
        exact = np.asarray(_cftime().date2num(values, _EPOCH, calendar), np.float64)
    # Rounded, because floats such as days since 1900 are exact only to about a second.
    seconds = np.floor(exact + 0.5).astype(np.int64)
    is_old = calendar == _PROLEPTIC and (seconds < _FIRST_GREGORIAN).any()
    gregorian = calendar in (STANDARD, "gregorian", _PROLEPTIC) and not is_old
    times = Times(seconds, STANDARD if gregorian else calendar)
    steps, rounded = np.diff(exact), np.diff(seconds)
    uneven = (np.abs(steps - rounded) > _ROUNDING * steps) & (steps > 0)
    if len(steps) and np.ptp(steps) < _ROUNDING:  # all steps are one, so it has to stay one
        uneven |= np.ptp(rounded) > 0
    if uneven.any():
        raise MimError(
            f"{path}: expected steps of whole seconds, got {steps[uneven][0]:g} s. Times are kept "
            "to the whole second. Write times in float64 or, if the steps are short, 1000 times as "
            "long."
        )
    back = np.flatnonzero(rounded <= 0)
    if len(back):
        raise MimError(
            f"{path}: expected sorted times without duplicates, got {times.text(back[0])}, then "
            f"{times.text(back[0] + 1)}. {writing}; or use xarray's sortby and drop_duplicates."
        )
    return times


def days_of_months(months: np.ndarray, start: str, calendar: str) -> np.ndarray:
    """Return the days from `start` to the same day of the month so many whole months later.

    In a shorter month it is the last day.
    """
    units = f"days since {start}"
    first = _cftime().num2date(0, units, calendar)
    dates = []
    for month in (12 * first.year + first.month - 1 + np.ravel(months)).tolist():
        begin = first.replace(year=month // 12, month=month % 12 + 1, day=1)
        dates.append(begin.replace(day=min(first.day, begin.daysinmonth)))
    return np.reshape(_cftime().date2num(dates, units, calendar), np.shape(months))


def join_times(parts: list[tuple[Path, Times]]) -> Times:
    """Return the times of files, which have to follow each other in one calendar."""
    for (path, times), (later_path, later) in itertools.pairwise(parts):
        # Files of the proleptic calendar are "standard" from 1582 on.
        continues = times.calendar == _PROLEPTIC and later.has_one_gregorian
        if later.calendar != times.calendar and not continues:
            raise MimError(
                f"{later_path}: expected {path}'s calendar {times.calendar}, got {later.calendar}. "
                "Use one calendar (xarray: convert_calendar)."
            )
        if later.seconds[0] <= times.seconds[-1]:
            raise MimError(
                f"{later_path}: expected times after {times.text(-1)}, the last of {path}, got "
                f"{later.text(0)}. Leave one out, or join them (xarray: concat, sortby, "
                "drop_duplicates, combine_by_coords)."
            )
    return Times(np.concatenate([times.seconds for _, times in parts]), parts[0][1].calendar)


def usual_step(times: Times) -> Step:
    """Return the most frequent step; 0 for a single time."""
    steps, unit = times.steps()
    if not len(steps):
        return 0, unit
    sizes, counts = np.unique(steps, return_counts=True)
    return int(sizes[np.argmax(counts)]), unit


def runs(times: Times, first: int, last: int) -> list[tuple[int, int]]:
    """Return (start, end) of the stretches of `first`..`last` that have the usual step inside."""
    broken = np.flatnonzero(times.steps()[0] != usual_step(times)[0]) + 1
    edges = [first, *(int(edge) for edge in broken if first < edge < last), last]
    return [(start, end) for start, end in itertools.pairwise(edges) if start < end]
