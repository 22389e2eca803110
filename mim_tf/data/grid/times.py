"""Times of fields: calendars, steps, gaps."""

import dataclasses
import itertools
from pathlib import Path

import numpy as np

from mim_tf.data.grid.months import (
    EPOCH,
    SHORTEST_MONTH,
    STANDARD,
    later_months,
    month_steps,
)
from mim_tf.data.grid.step import Step
from mim_tf.errors import MimError


@dataclasses.dataclass(frozen=True)
class Times:
    """Points in time, sorted, each once.

    Attributes:
        seconds: int64 `[T]`, since 1970 in their calendar.
        calendar: its CF name; that of NumPy is "standard".
    """

    seconds: np.ndarray
    calendar: str = STANDARD

    def __len__(self):
        return len(self.seconds)

    @property
    def values(self) -> np.ndarray:
        """As xarray has them: datetime64, or objects of cftime."""
        if self.calendar == STANDARD:
            return self.seconds.astype("datetime64[s]").astype("datetime64[ns]")
        import cftime

        return cftime.num2date(self.seconds, EPOCH, self.calendar)

    def text(self, index: int) -> str:
        """A point in time in words, as precise as it needs to be."""
        value = Times(self.seconds[[index]], self.calendar).values[0]
        if self.calendar == STANDARD:
            value = np.datetime_as_string(value, unit="s")
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
        except ValueError:
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
        MimError: for one without a value, for duplicate and for unsorted ones.
    """
    if values.dtype.kind == "M":
        seconds, calendar = values.astype("datetime64[s]").astype(np.int64), STANDARD
        unknown = np.isnat(values)
    else:
        import cftime

        calendar = values[0].calendar
        seconds = np.asarray(cftime.date2num(values, EPOCH, calendar), np.int64)
        unknown = np.zeros(len(values), bool)
        if calendar in ("gregorian", "proleptic_gregorian"):
            calendar = STANDARD
    times = Times(seconds, calendar)
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


def join_times(parts: list[tuple[Path, Times]]) -> Times:
    """The times of files that follow each other.

    Raises:
        MimError: for files that overlap, or have several calendars.
    """
    for (path, times), (later_path, later) in itertools.pairwise(parts):
        if later.calendar != times.calendar:
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
