"""The `.h5` files of TaxiBJ, as they are stored."""

import contextlib
import dataclasses
import datetime
import math
import os
from pathlib import Path

import h5py
import numpy as np

from mim_tf.data.files.arrays import check_interval, check_length
from mim_tf.data.files.npz_member import (
    LARGEST_DEFLATE_RATIO,
    member_keys,
    member_shape,
    read_member,
)
from mim_tf.data.source import Indices, SequenceSource
from mim_tf.errors import MimError
from mim_tf.storage.hdf5 import opened_hdf5

CHANNELS = 2


@dataclasses.dataclass
class RawSlots:
    """The half hours of one file, nothing left out.

    Attributes:
        name: file or other origin, shown in messages.
        data: float32 `[slots, 2, H, W]`, inflow and outflow in vehicles a half hour.
        dates: byte strings `YYYYMMDDss`, one a slot; ss from 01 to 48.
    """

    name: str
    data: np.ndarray
    dates: list[bytes]


def read_h5(path: str | Path) -> RawSlots:
    """Reads one file; its dates are not looked at yet.

    Raises `MimError` for files that are missing, truncated or no HDF5, other keys, dtypes or
    shapes, and a declared size that the content cannot have, before memory is taken for it.
    """
    with _opened(path) as (data, date):
        return RawSlots(str(path), data.astype(np.float32)[...], date[...].tolist())


def read_h5_grid(path: str | Path) -> tuple[int, int]:
    """(height, width) of the cells of a city; its counts are not read. Raises as `read_h5`."""
    with _opened(path) as (data, _):
        return data.shape[2:]


@contextlib.contextmanager
def _opened(path):
    """The data sets `data` and `date` of a file, of the right dtypes and shapes."""
    with opened_hdf5(path, "an .h5 file of TaxiBJ", "Download it again.") as file:
        data, date = (_dataset(path, file, key) for key in ("data", "date"))
        _check_kinds(path, data, date)
        for dataset in (data, date):
            _check_stored(path, dataset)
        if len(data) != len(date) or 0 in data.shape:
            raise MimError(
                f"{path}: expected data and date for the same slots, at least one, received data "
                f"{list(data.shape)} and date {list(date.shape)}. Use the whole file."
            )
        yield data, date


def _dataset(path, file, key):
    dataset = file.get(key)
    if not isinstance(dataset, h5py.Dataset) or dataset.shape is None:
        raise MimError(
            f"{path}: expected the arrays data and date, found {', '.join(file) or 'nothing'}; "
            f"{key} is missing or no array. Use a file like BJ13_M32x32_T30_InOut.h5."
        )
    return dataset


def _check_kinds(path, data, date):
    if data.dtype.kind not in "iuf" or len(data.shape) != 4 or data.shape[1] != CHANNELS:
        raise MimError(
            f"{path}: expected data as numbers [slots, {CHANNELS}, height, width], received "
            f"{data.dtype} with shape {list(data.shape)}. Convert it."
        )
    if date.dtype.kind != "S" or len(date.shape) != 1:
        raise MimError(
            f"{path}: expected date as byte strings YYYYMMDDss of a fixed length [slots], "
            f"received {date.dtype} with shape {list(date.shape)}. Convert it with astype('S10')."
        )


def _check_stored(path, dataset):
    """Raises `MimError` if the file does not or cannot hold all of a dataset."""
    # Datasets and chunks that were never written, and virtual ones, would read as zeros.
    if dataset.chunks is None:
        stored = dataset.id.get_storage_size() == dataset.nbytes and not dataset.external
        largest, possible = dataset.nbytes, os.path.getsize(path)
    else:
        shapes = zip(dataset.shape, dataset.chunks, strict=True)
        stored = dataset.id.get_num_chunks() == math.prod(-(-n // chunk) for n, chunk in shapes)
        largest = max(dataset.nbytes, math.prod(dataset.chunks) * dataset.dtype.itemsize)
        possible = os.path.getsize(path) * LARGEST_DEFLATE_RATIO
    if not stored or largest > possible:
        key = dataset.name.lstrip("/")
        raise MimError(
            f"{path}: {key} declares {dataset.nbytes} bytes, but the file's content is not of "
            "that size. It is damaged, was not written to its end, or refers to other files; "
            "download it again."
        )


# MERGED: TaxiBJ in its other layout, `dataset.npz`.


class TaxiBJNpzSource(SequenceSource):
    """Sequences of `dataset.npz`: the frames of X, then those of Y, from [-1, 1] to [0, 1].

    Frames come in the order of the file, and stay in it unless it is compressed. It has no dates,
    so windows, order and split are what its author made them; and no counts, so frames have no
    physical values.

    Args:
        path: the file; arrays `X_train` and `Y_train`, or `X_test` and `Y_test`, floats
            `[N, frames, 2, H, W]`, with 4 frames each in the file in circulation.
        split: "train", or "valid" or "test", which are the same.
        total_length: frames of a sequence; longer ones are cut to their first frames.
        check: whether the file is compared with its checksums, as for `read_member`.

    Raises `MimError` for a file that cannot be read, arrays that do not fit each other, too few
    frames, and the first frame with a value that is NaN or outside [-1, 1].
    """

    def __init__(self, path: str | Path, split: str, total_length: int, check: bool = True):
        self.path = str(path)
        suffix = "train" if split == "train" else "test"
        self._keys = [f"X_{suffix}", f"Y_{suffix}"]
        found = member_keys(path)
        if not set(self._keys) <= set(found):
            raise MimError(
                f"{path}: expected the arrays {' and '.join(self._keys)}, found "
                f"{', '.join(found) or 'none'}. Use the dataset.npz of TaxiBJ."
            )
        self._parts = [read_member(path, key, "f", 5, check) for key in self._keys]
        self._check_shapes()
        lengths = [part.shape[1] for part in self._parts]
        check_length(self.path, sum(lengths), total_length)
        for key, part in zip(self._keys, self._parts, strict=True):
            mending = "Scale the counts linearly to [-1, 1]"
            check_interval(part, f"{path}, {key}", ("sequence", "frame"), -1, mending)
        self.size, _, _, height, width = self._parts[0].shape
        self.shape = (total_length, height, width, CHANNELS)

    def sequences(self, indices: Indices) -> np.ndarray:
        indices = np.asarray(indices, np.int64)
        frames = np.concatenate([part[indices] for part in self._parts], axis=1, dtype=np.float32)
        unit = (frames[:, : self.shape[0]] + 1) / 2
        return np.ascontiguousarray(unit.transpose(0, 1, 3, 4, 2))

    def groups(self, indices: Indices) -> np.ndarray:
        # The file has no dates: so many overlapping windows are of about a day.
        return np.asarray(indices, np.int64) // SLOTS_A_DAY

    def describe(self) -> dict:
        return super().describe() | {
            "source": "TaxiBJ format, .npz",
            "paths": [self.path],
            "arrays": self._keys,
            "scale": None,
            "scale_note": "the file does not carry the lowest and highest count",
        }

    def _check_shapes(self):
        first, second = (part.shape for part in self._parts)
        fit = first[0] == second[0] and first[2:] == second[2:]
        if not fit or first[2] != CHANNELS or 0 in first + second:
            raise MimError(
                f"{self.path}: expected {' and '.join(self._keys)} [N, frames, {CHANNELS}, height, "
                f"width] of the same N, height and width, at least one each, received "
                f"{list(first)} and {list(second)}. Use the whole file."
            )


def read_npz_grid(path: str | Path) -> tuple[int, int]:
    """(height, width) of the frames in `dataset.npz`, read from a header."""
    keys = [key for key in member_keys(path) if key in ("X_train", "X_test")]
    if not keys:
        raise MimError(f"{path}: expected the array X_train, found none. Use TaxiBJ's dataset.npz.")
    return member_shape(path, keys[0], "f", 5)[3:]


# MERGED: From the half hours of a file of TaxiBJ to its complete days.


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


# MERGED: A made-up city in the format of TaxiBJ, to try things out without the data.
#
# Nothing in it was measured, and scores on it say nothing about TaxiBJ.


SIDE = 32
FIRST_DAY = datetime.date(2001, 3, 5)  # a Monday
DAYS = 56


def synthetic_city() -> RawSlots:
    """Eight weeks of half hours in a city of 32 x 32 cells.

    Traffic runs from homes to offices in the morning and back in the evening, in waves that cross
    the city, with a third of the strength at weekends. Days differ in strength; counts are noisy.
    """
    random = np.random.default_rng(0)
    homes, offices = _districts(random, 9, 4), _districts(random, 3, 3)
    rows, columns = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    delay = np.hypot(rows, columns) / 8  # half hours between a cell and the centre
    slot = np.arange(SLOTS_A_DAY)[:, None, None]
    morning, evening = (np.exp(-(((slot - peak) / 3) ** 2)) for peak in (17 - delay, 36 + delay))
    inflow, outflow = (
        morning * offices + evening * homes,
        morning * homes + evening * offices,
    )
    strength = random.uniform(0.85, 1.15, DAYS) * np.where(np.arange(DAYS) % 7 < 5, 1, 1 / 3)
    mean = 300 * np.tensordot(strength, np.stack([inflow, outflow], axis=1), 0)
    counts = random.poisson(mean.reshape(-1, 2, SIDE, SIDE)).astype(np.float32)
    days = [FIRST_DAY + datetime.timedelta(day) for day in range(DAYS)]
    dates = [b"%s%02d" % (f"{day:%Y%m%d}".encode(), s + 1) for day in days for s in slot.flat]
    return RawSlots("synthetic city", counts, dates)


def _districts(random, count, radius):
    """Density `[H, W]` of `count` districts anywhere in the city."""
    place = np.mgrid[:SIDE, :SIDE][:, None]
    centre = random.integers(3, SIDE - 3, (2, count, 1, 1))
    return (1 / (1 + ((place - centre) ** 2).sum(axis=0) / radius**2)).sum(axis=0)
