"""Times of fields: calendars, steps, gaps."""

import dataclasses
import itertools
from pathlib import Path

import numpy as np

from mim_tf.errors import MimError
from mim_tf.values.step import EPOCH, SHORTEST_MONTH, STANDARD, Step, later_months, month_steps

_GREGORIAN, _PROLEPTIC = "gregorian", "proleptic_gregorian"
_FIRST_OF_STANDARD = np.datetime64("1582-10-15", "s").astype(np.int64)
_MOST_SECONDS = np.iinfo(np.int64).max // 10**9
"""Around 1970 that nanoseconds of 64 bits count: from 1677 to 2262."""


@dataclasses.dataclass(frozen=True)
class Times:
    """Points in time, sorted, each once.

    Attributes:
        seconds: int64 `[T]`, since 1970 in their calendar.
        calendar: its CF name. From 1582-10-15 on, where it is that of NumPy, the standard one is
            "standard"; with earlier dates it is "gregorian", or "proleptic_gregorian".
    """

    seconds: np.ndarray
    calendar: str = STANDARD

    def __len__(self):
        return len(self.seconds)

    @property
    def values(self) -> np.ndarray:
        """As xarray has them: datetime64[ns], or objects of cftime where that does not reach."""
        in_reach = (np.abs(self.seconds) < _MOST_SECONDS).all()
        if self.calendar == STANDARD and in_reach:
            return self.seconds.astype("datetime64[s]").astype("datetime64[ns]")
        import cftime

        return cftime.num2date(self.seconds, EPOCH, self.calendar)

    def text(self, index: int) -> str:
        """A point in time in words, as precise as it needs to be."""
        if self.calendar == STANDARD:
            value = np.datetime_as_string(self.seconds[index].astype("datetime64[s]"))
        else:
            value = Times(self.seconds[[index]], self.calendar).values[0]
        return str(value).replace("T", " ").removesuffix(":00").removesuffix(" 00:00")

    def position(self, date: str) -> int:
        """How many of the times come before a date such as 2016-01-01 or 2016-01-01T06:00.

        Raises `MimError` if it is no date of the calendar.
        """
        try:
            moment = np.datetime64(date.strip(), "s")
            if np.isnat(moment):
                raise ValueError
            seconds = moment.astype(np.int64)
            if self.calendar != STANDARD:
                import cftime

                parts = moment.astype("datetime64[s]").item().timetuple()[:6]
                of_calendar = cftime.datetime(*parts, calendar=self.calendar)
                seconds = cftime.date2num(of_calendar, EPOCH, self.calendar)
        except (ValueError, AttributeError):  # the latter for years beyond Python's
            raise MimError(
                f"Expected a date such as 2016-01-01 in split_dates, received {date!r}."
            ) from None
        return int(np.searchsorted(self.seconds, seconds))

    def following(self, index: int, count: int, step: Step) -> "Times":
        """The next `count` times after one of them, each a step further."""
        size, unit = step
        numbers = size * np.arange(1, count + 1)
        if unit == "seconds":
            return Times(self.seconds[index] + numbers, self.calendar)
        return Times(later_months(self.seconds, index, numbers, self.calendar), self.calendar)

    def steps(self) -> tuple[np.ndarray, str]:
        """From each time to the next `[T - 1]`, and the unit: "seconds", or "months".

        Months and years differ in days, but are steps of one size.
        """
        seconds = np.diff(self.seconds)
        if not len(seconds) or seconds.min() < SHORTEST_MONTH:
            return seconds, "seconds"
        months = month_steps(self.seconds, self.calendar)
        return (seconds, "seconds") if months is None else (months, "months")


def read_times(path: Path, values: np.ndarray) -> Times:
    """Times that xarray decoded, checked.

    Raises:
        MimError: if there is none, for one without a value, for duplicate and for unsorted ones.
    """
    if not values.size:
        raise MimError(
            f"{path}: expected at least one time, received none. If it is being written, wait "
            "until that is done; otherwise leave it out."
        )
    if values.dtype.kind == "M":
        # Rounded: floats such as days since 1900 hold no more than nearly the second.
        rounded = (values + np.timedelta64(500, "ms")).astype("datetime64[s]")
        seconds, calendar = rounded.astype(np.int64), _PROLEPTIC
        unknown = np.isnat(values)
    else:
        import cftime

        calendar = values[0].calendar
        seconds = np.rint(cftime.date2num(values, EPOCH, calendar)).astype(np.int64)
        unknown = np.zeros(len(values), bool)
    times = Times(seconds, _named(calendar, seconds[~unknown]))
    if unknown.any():
        raise MimError(
            f"{path}: expected a time for each field, received none for number "
            f"{int(np.argmax(unknown)) + 1} of {len(values)}. If it is being written, wait until "
            "that is done."
        )
    back = np.flatnonzero(np.diff(seconds) <= 0)
    if len(back):
        first = int(back[0])
        kind = "the same time twice" if seconds[first] == seconds[first + 1] else "unsorted times"
        raise MimError(
            f"{path}: expected each time once, in order, received {kind}: {times.text(first)}, "
            f"then {times.text(first + 1)}. Sort the times and remove duplicates (xarray: "
            "sortby and drop_duplicates); if it is being written, wait until that is done."
        )
    return times


def _named(calendar, seconds):
    """The calendar as `Times` has it; dates from 1582-10-15 on are the same in two of them."""
    if calendar not in (STANDARD, _GREGORIAN, _PROLEPTIC):
        return calendar
    if (seconds >= _FIRST_OF_STANDARD).all():
        return STANDARD
    return _PROLEPTIC if calendar == _PROLEPTIC else _GREGORIAN


def join_times(parts: list[tuple[Path, Times]]) -> Times:
    """The times of files that follow each other.

    Raises:
        MimError: for files that overlap, or have several calendars.
    """
    for (path, times), (later_path, later) in itertools.pairwise(parts):
        goes_on = times.calendar in (_GREGORIAN, _PROLEPTIC) and later.calendar == STANDARD
        if later.calendar != times.calendar and not goes_on:
            raise MimError(
                f"{later_path}: expected the calendar of {path}, {times.calendar}, received "
                f"{later.calendar}. Files of one run need one calendar."
            )
        if later.seconds[0] <= times.seconds[-1]:
            raise MimError(
                f"{later_path}: expected times after those of {path}, which end at "
                f"{times.text(len(times) - 1)}, received {later.text(0)} on. Leave out one of the "
                "files, or the times they share."
            )
    seconds = np.concatenate([times.seconds for _, times in parts])
    return Times(seconds, parts[0][1].calendar)


def usual_step(times: Times) -> Step:
    """The most frequent step and its unit; 0 for a single time."""
    steps, unit = times.steps()
    if not len(steps):
        return 0, unit
    sizes, counts = np.unique(steps, return_counts=True)
    return int(sizes[np.argmax(counts)]), unit


def runs(times: Times, first: int, last: int) -> list[tuple[int, int]]:
    """(start, end) of the stretches of `first`..`last` with the usual step and nothing between."""
    steps, _ = times.steps()
    step, _ = usual_step(times)
    broken = np.flatnonzero(steps != step) + 1
    edges = [first, *(int(edge) for edge in broken if first < edge < last), last]
    return [(start, end) for start, end in itertools.pairwise(edges) if start < end]
