"""From the half hours of a file of TaxiBJ to its complete days."""

import dataclasses
import datetime

import numpy as np

from mim_tf.data.taxibj.h5 import RawSlots
from mim_tf.errors import MimError

SLOTS_A_DAY = 48


@dataclasses.dataclass
class CompleteDays:
    """The days of one file that have all 48 half hours.

    Attributes:
        name: file or other origin.
        counts: float32 `[slots, H, W, 2]`, inflow and outflow in vehicles a half hour, none
            negative.
        times: int64 `[slots]`, half hours since one fixed day; increasing, with gaps.
        dropped: number of days that were left out.
    """

    name: str
    counts: np.ndarray
    times: np.ndarray
    dropped: int


def complete_days(raw: RawSlots) -> CompleteDays:
    """Leaves out incomplete days and sets negative counts to 0. Source: 2019 code.

    Raises `MimError` for dates that are none or do not increase, no complete day, and the first
    count that is not finite.
    """
    times = slot_times(raw.name, raw.dates)
    days, first, slots = np.unique(times // SLOTS_A_DAY, return_index=True, return_counts=True)
    complete = first[slots == SLOTS_A_DAY]
    if not len(complete):
        raise MimError(
            f"{raw.name}: expected at least one day with all {SLOTS_A_DAY} slots, received "
            f"{len(days)} incomplete ones. Use the whole file; a slot is half an hour."
        )
    kept = (complete[:, None] + np.arange(SLOTS_A_DAY)).ravel()
    counts = np.ascontiguousarray(raw.data.transpose(0, 2, 3, 1)[kept])
    _check_finite(raw, kept, counts)
    np.maximum(counts, 0, out=counts)
    return CompleteDays(raw.name, counts, times[kept], len(days) - len(complete))


def slot_times(name: str, dates: list[bytes]) -> np.ndarray:
    """Dates `YYYYMMDDss` as half hours since one fixed day, int64 `[slots]`.

    Raises `MimError` for the first one that is no such date or not after the one before it.
    """
    times = np.array([_slot_time(name, index, date) for index, date in enumerate(dates)], np.int64)
    wrong = np.flatnonzero(np.diff(times) <= 0)
    if len(wrong):
        index = int(wrong[0])
        raise MimError(
            f"{name}: expected dates that increase, received {_text(dates[index])} and then "
            f"{_text(dates[index + 1])} in slots {index} and {index + 1}. Sort the slots by date "
            "and remove double ones."
        )
    return times


def _slot_time(name, index, date):
    try:
        if len(date) != 10 or not date.isdigit():
            raise ValueError
        day = datetime.date(int(date[:4]), int(date[4:6]), int(date[6:8]))
        slot = int(date[8:])
        if not 1 <= slot <= SLOTS_A_DAY:
            raise ValueError
    except ValueError:
        raise MimError(
            f"{name}: expected dates YYYYMMDDss with ss from 01 to {SLOTS_A_DAY}, received "
            f"{_text(date)} in slot {index}. Correct it or leave the slot out."
        ) from None
    return day.toordinal() * SLOTS_A_DAY + slot - 1


def _text(date):
    return repr(date.decode("ascii", "backslashreplace"))


def _check_finite(raw, kept, counts):
    finite = np.isfinite(counts).all(axis=(1, 2, 3))
    if not finite.all():
        date = _text(raw.dates[kept[np.argmin(finite)]])
        raise MimError(
            f"{raw.name}: expected counts that are finite in single precision, received NaN, "
            f"infinity or a larger number at {date}. Replace it, or leave that slot out: then its "
            "day is not used."
        )
