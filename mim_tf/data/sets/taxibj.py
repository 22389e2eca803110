"""TaxiBJ: inflow and outflow of taxis in the cells of a city, every half hour.

The data comes as `.h5` files, one a year, with a date for every half hour ("slot"), or as
`dataset.npz` with windows made by its author. Days without all 48 slots are left out, negative
counts are set to 0. Windows are all runs of slots without a gap inside one file; the last ones are
for testing. Source: 2019 code.
"""

import contextlib
import datetime
import itertools
import math
import os
from pathlib import Path

import h5py
import numpy as np

from mim_tf.config import DataConfig
from mim_tf.data.files import arrays
from mim_tf.data.source import Indices, Recording, SequenceSource, WindowSource, common_value
from mim_tf.data.split import shared_paths, split_paths
from mim_tf.errors import MimError
from mim_tf.storage.containers import opened_hdf5
from mim_tf.storage.paths import list_folder
from mim_tf.values.scale import LinearScale

CHANNELS = 2
SLOTS_A_DAY = 48
TEST_WINDOWS = 4 * 7 * SLOTS_A_DAY
SIDE, DAYS = 32, 56
"""Rows and columns, and days, of the synthetic city."""


class Year(Recording):
    """The complete days of one file; `dropped` days were left out.

    `data` are counts `[slots, 2, H, W]` in vehicles and `dates` are `YYYYMMDDss`. `counts` are
    float32 `[slots, H, W, 2]`, not negative; `times` are half hours since a fixed day, increasing,
    with gaps. `scale` is set before frames are read.
    """

    scale: LinearScale

    def __init__(self, name: str, data: np.ndarray, dates: list[bytes]):
        self.name = name
        times = slot_times(name, dates)
        days, first, slots = np.unique(times // SLOTS_A_DAY, return_index=True, return_counts=True)
        complete = first[slots == SLOTS_A_DAY]
        if not len(complete):
            raise MimError(f"{name}: Expected a day with all {SLOTS_A_DAY} half hours, got none.")
        kept = (complete[:, None] + np.arange(SLOTS_A_DAY)).ravel()
        self.counts = np.ascontiguousarray(data.transpose(0, 2, 3, 1)[kept])
        finite = np.isfinite(self.counts).all(axis=(1, 2, 3))
        if not finite.all():
            date = dates[kept[np.argmin(finite)]]
            raise MimError(f"{name}: Expected finite float32 counts at {date!r}.")
        np.maximum(self.counts, 0, out=self.counts)
        self.times = times[kept]
        self.length = len(kept)
        self.dropped = len(days) - len(complete)

    def read(self, positions: Indices) -> np.ndarray:
        return self.scale.to_unit(self.counts[positions])


class NewestFirst(WindowSource):
    """Windows whose last frame comes first, as in the 2019 code."""

    def sequences(self, indices: Indices) -> np.ndarray:
        return np.ascontiguousarray(super().sequences(indices)[:, ::-1])


def open_taxibj(
    data: DataConfig, split: str, frame_shape, total_length: int, test_windows: int = TEST_WINDOWS
) -> SequenceSource:
    """Open a split of TaxiBJ, of another city in its format, or of a synthetic one.

    The lowest and the highest count of all but the last `test_windows` slots are 0 and 1 in a
    frame. Counts of those last slots that lie outside are clipped, because frames are in [0, 1] in
    this package; the 2019 code did not clip. So scores compare with published ones if
    `clipped_values` in `describe`, counted over all files, is 0. It should be for the published
    files: their highest counts are reported as 1230, 1292, 1274 and 1250, year by year
    (data/TaxiBJ.ipynb in github.com/Sosa-Liu/AdaSTTC). The 2019 code left out the last window
    before every gap and at the end of every file, so its test windows begin a few slots earlier.

    The path is a folder with files `*_InOut.h5`, such as BJ13_M32x32_T30_InOut.h5, whose names sort
    by year, or else with dataset.npz; or such `.h5` files, in year order; or one `.npz`; or there
    is none, for the synthetic city. "valid" and "test" are the same windows.
    """
    paths, _ = split_paths(data, split)
    if paths:
        paths = shared_paths(data, split, "by date, and all splits have one scale")
    files = _files(paths, data.taxibj_synthetic)
    if any(path.suffix.lower() == ".npz" for path in files):
        chosen = data.taxibj_order, data.taxibj_split
        if len(files) > 1 or chosen != ("chronological", "reference"):
            raise MimError(
                f"{files[0]} has no dates: Expected it alone, with --taxibj_order=chronological "
                "and --taxibj_split=reference."
            )
        return TaxiBJNpzSource(files[0], split, total_length, data.check_files)
    years = list(map(read_h5, files)) or [Year("synthetic city", *synthetic_city())]
    _check_years(years)
    times = [year.times for year in years]
    train, test = split_windows(times, total_length, data.taxibj_split, test_windows)
    scale, clipped = _fit_scale(years, test_windows)
    for year in years:
        year.scale = scale
    starts = train if split == "train" else test
    # Years without a window of the split are not kept in memory.
    used, starts[:, 0] = np.unique(starts[:, 0], return_inverse=True)
    return (NewestFirst if data.taxibj_order == "reference" else WindowSource)(
        [years[i] for i in used],
        years[0].counts.shape[1:],
        total_length,
        starts=starts,
        description={
            "source": "TaxiBJ format, .h5" if files else "synthetic city, made up; not TaxiBJ",
            "paths": [str(path) for path in files],
            "order": data.taxibj_order,
            "rule": data.taxibj_split,
            "test_windows": test_windows,
            "dropped_days": sum(year.dropped for year in years),
            "clipped_values": clipped,
        },
        scale=scale,
    )


def shape_of_taxibj(data: DataConfig) -> tuple[int, int, int] | None:
    """Return (H, W, C) of the frames, from the first file; None without a path."""
    paths, _ = split_paths(data, "train")
    if not paths and not data.taxibj_synthetic:
        return None
    files = _files(paths, data.taxibj_synthetic)
    if not files:
        return SIDE, SIDE, CHANNELS
    if files[0].suffix.lower() != ".npz":
        with _opened(files[0]) as (counts, _):
            return (*counts.shape[2:4], CHANNELS)
    key = "X_train" if "X_train" in arrays.member_keys(files[0]) else "X_test"
    *_, height, width = arrays.member_shape(files[0], key, "f", 5)
    return height, width, CHANNELS


def read_h5(path: str | Path) -> Year:
    """Read one file; raise `MimError` before memory is allocated for a size it cannot have."""
    with _opened(path) as (data, date):
        counts, dates = data.astype(np.float32)[...], date[...].tolist()
    return Year(str(path), counts, dates)


@contextlib.contextmanager
def _opened(path):
    """Yield the data sets `data` and `date` of a file, of the right dtypes and shapes."""
    with opened_hdf5(path, "an .h5 file of TaxiBJ", "Download it again.") as file:
        data, date = datasets = file.get("data"), file.get("date")
        if not all(isinstance(each, h5py.Dataset) and each.shape is not None for each in datasets):
            raise MimError(f"{path}: Expected the arrays data and date, got {list(file)}.")
        fits = data.dtype.kind in "iuf" and data.ndim == 4 and data.shape[1] == CHANNELS
        fits = fits and date.dtype.kind == "S" and date.shape == data.shape[:1]
        if not fits or 0 in data.shape:
            raise MimError(
                f"{path}: Expected data as numbers [slots, {CHANNELS}, height, width] and date as "
                f"S10 [slots], got {data.dtype} {data.shape} and {date.dtype} {date.shape}."
            )
        for each in datasets:
            _check_stored(path, each)
        yield datasets


def _check_stored(path, dataset):
    """Raise `ValueError` if the file does not or cannot hold all of a data set."""
    # HDF5 would read zeros for chunks that were never written, and for virtual data sets.
    if dataset.chunks is None:
        stored = dataset.id.get_storage_size() == dataset.nbytes
        largest, possible = dataset.nbytes, os.path.getsize(path)
    else:
        shapes = zip(dataset.shape, dataset.chunks, strict=True)
        stored = dataset.id.get_num_chunks() == math.prod(-(-n // chunk) for n, chunk in shapes)
        largest = max(dataset.nbytes, math.prod(dataset.chunks) * dataset.dtype.itemsize)
        possible = os.path.getsize(path) * arrays.LARGEST_DEFLATE_RATIO
    if not stored or largest > possible:
        name = dataset.name.lstrip("/")
        raise ValueError(f"it does not hold the {dataset.nbytes} bytes of {name}")


def slot_times(name: str, dates: list[bytes]) -> np.ndarray:
    """Return dates `YYYYMMDDss` as half hours since a fixed day, int64 `[slots]`, increasing."""
    times: list[int] = []
    for n, date in enumerate(dates):
        try:
            day, slot = datetime.date.fromisoformat(date[:8].decode()), int(date[8:])
            time = day.toordinal() * SLOTS_A_DAY + slot - 1
            is_date = len(date) == 10 and date.isdigit() and 1 <= slot <= SLOTS_A_DAY
        except ValueError:
            is_date = False
        if not is_date or (times and time <= times[-1]):
            raise MimError(
                f"{name}: Expected dates YYYYMMDDss that increase, with ss from 01 to "
                f"{SLOTS_A_DAY}, got {date!r} in slot {n}, after {dates[max(n - 1, 0)]!r}."
            )
        times.append(time)
    return np.array(times, np.int64)


def split_windows(
    times: list[np.ndarray], total_length: int, rule: str, test_windows: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the windows to train on and the last `test_windows`, to test on.

    They are (file, first slot), int64 `[N, 2]`, of every run of `total_length` slots in a file. By
    the rule "reference" all others are for training, by "clean" only those that share no slot with
    a test window.
    """
    starts = []
    for number, slots in enumerate(times):
        # Times increase, so a run has no gap if its last slot is as late as it should be.
        last = slots[total_length - 1 :]
        runs = np.flatnonzero(last - slots[: len(last)] == total_length - 1)
        starts.append(np.stack([np.full_like(runs, number), runs], axis=1))
    train, test = np.split(np.concatenate(starts), [-test_windows])
    if rule == "clean" and len(train):
        number, first = test[0]
        train = train[(train[:, 0] < number) | (train[:, 1] + total_length <= first)]
    if not len(train):
        raise MimError(
            f"Expected more than {test_windows} windows of --total_length={total_length} half "
            f"hours, got {sum(map(len, starts))}, none to train on by --taxibj_split={rule}."
        )
    return train, test


def _files(paths, synthetic):
    """Return the data files of `paths`; none for the synthetic city."""
    if synthetic == bool(paths):
        raise MimError(
            "Expected files in --train_data_paths or --taxibj_synthetic, for a small synthetic "
            f"city, got {'both' if synthetic else 'neither'}."
        )
    if len(paths) != 1 or not os.path.isdir(paths[0]):
        return paths
    entries = list_folder(paths[0], "a folder of TaxiBJ")
    # Names that begin with a dot are what macOS leaves in archives.
    files = [path for path in entries if path.match("[!.]*_InOut.h5")]
    files = files or [path for path in entries if path.name == "dataset.npz"]
    if not files:
        raise MimError(f"{paths[0]}: Expected files named *_InOut.h5 or dataset.npz in it.")
    return files


def _check_years(years):
    common_value(((year.name, year.counts.shape[1:3]) for year in years), "height and width ")
    for earlier, later in itertools.pairwise(years):
        if later.times[0] <= earlier.times[-1]:
            raise MimError(f"{later.name}: Expected dates after {earlier.name}, in year order.")


def _fit_scale(years, held_out):
    """Return the scale of all but the last `held_out` slots, and the number of values outside."""
    count = sum(year.length for year in years) - held_out
    lows, highs = (
        np.concatenate([extreme(year.counts, axis=(1, 2, 3)) for year in years])[:count]
        for extreme in (np.min, np.max)
    )
    low, high = float(lows.min()), float(highs.max())
    if low == high:
        raise MimError(f"{years[0].name}: Expected counts that differ, got {low} everywhere.")
    outside = (np.count_nonzero((y.counts < low) | (y.counts > high)) for y in years)
    return LinearScale("vehicles", low, high), int(sum(outside))


class TaxiBJNpzSource(SequenceSource):
    """Sequences of `dataset.npz`: the frames of X, then those of Y, from [-1, 1] to [0, 1].

    X and Y are floats `[N, frames, 2, H, W]`, with 4 frames each in the file in circulation. The
    file has no dates, so windows, order and split are its author's; and no counts, so frames have
    no physical values.
    """

    def __init__(self, path: str | Path, split: str, total_length: int, check: bool = True):
        self.path = str(path)
        suffix = "train" if split == "train" else "test"
        self._keys = [f"X_{suffix}", f"Y_{suffix}"]
        self._parts = [arrays.read_member(path, key, "f", 5, check) for key in self._keys]
        first, second = (part.shape for part in self._parts)
        fit = first[0] == second[0] and first[2:] == second[2:]
        if not fit or first[2] != CHANNELS or 0 in first + second:
            raise MimError(
                f"{path}: Expected X and Y as [N, frames, {CHANNELS}, height, width] that differ "
                f"in frames alone, got {first} and {second}. Use the whole file."
            )
        arrays.check_length(self.path, first[1] + second[1], total_length)
        for key, part in zip(self._keys, self._parts, strict=True):
            arrays.check_interval(part, f"{path}, {key}", ("sequence", "frame"), -1)
            if np.min(arrays.take(part, slice(SLOTS_A_DAY))) >= 0:
                raise MimError(
                    f"{path}: expected {key} in [-1, 1], where -1 is the lowest count, got no "
                    "negative value. Save 2 * array - 1 of values in [0, 1]."
                )
        self.size, _, _, height, width = first
        self.shape = (total_length, height, width, CHANNELS)

    def sequences(self, indices: Indices) -> np.ndarray:
        indices = np.asarray(indices, np.int64)
        parts = [arrays.take(part, indices) for part in self._parts]
        unit = (np.concatenate(parts, axis=1, dtype=np.float32)[:, : self.shape[0]] + 1) / 2
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


def synthetic_city() -> tuple[np.ndarray, list[bytes]]:
    """Return counts and dates of eight weeks of a city, to try things out without the data.

    Nothing in it was measured. Traffic runs from homes to offices in the morning and back in the
    evening, in waves that cross the city, with a third of the strength at weekends.
    """
    random = np.random.default_rng(0)
    homes, offices = _districts(random, 9, 4), _districts(random, 3, 3)
    rows, columns = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    delay = np.hypot(rows, columns) / 8  # half hours between a cell and the centre
    slot = np.arange(SLOTS_A_DAY)[:, None, None]
    morning, evening = (np.exp(-(((slot - peak) / 3) ** 2)) for peak in (17 - delay, 36 + delay))
    inflow, outflow = morning * offices + evening * homes, morning * homes + evening * offices
    strength = random.uniform(0.85, 1.15, DAYS) * np.where(np.arange(DAYS) % 7 < 5, 1, 1 / 3)
    mean = 300 * np.tensordot(strength, np.stack([inflow, outflow], axis=1), 0)
    counts = random.poisson(mean.reshape(-1, CHANNELS, SIDE, SIDE)).astype(np.float32)
    days = [datetime.date(2001, 3, 5) + datetime.timedelta(day) for day in range(DAYS)]  # a Monday
    dates = [b"%s%02d" % (f"{day:%Y%m%d}".encode(), s + 1) for day in days for s in slot.flat]
    return counts, dates


def _districts(random, count, radius):
    """Return the density `[H, W]` of `count` districts at random places."""
    place = np.mgrid[:SIDE, :SIDE][:, None]
    centre = random.integers(3, SIDE - 3, (2, count, 1, 1))
    return (1 / (1 + ((place - centre) ** 2).sum(axis=0) / radius**2)).sum(axis=0)
