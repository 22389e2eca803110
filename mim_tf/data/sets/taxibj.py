"""Windows of half hours without a gap, and which of them are for testing."""

import fnmatch
import itertools
import os
from pathlib import Path

import numpy as np

from mim_tf.config import DataConfig
from mim_tf.data.sets.taxibj_files import (
    SIDE,
    CompleteDays,
    TaxiBJNpzSource,
    complete_days,
    read_h5,
    read_h5_grid,
    read_npz_grid,
    synthetic_city,
)
from mim_tf.data.source import Indices, SequenceSource
from mim_tf.data.windows import Recording, WindowSource
from mim_tf.errors import MimError
from mim_tf.storage.paths import list_folder
from mim_tf.values.scale import LinearScale


class NewestFirst(WindowSource):
    """Windows whose last frame comes first, as in the 2019 code."""

    def sequences(self, indices: Indices) -> np.ndarray:
        return np.ascontiguousarray(super().sequences(indices)[:, ::-1])


def windows(times: list[np.ndarray], total_length: int) -> np.ndarray:
    """Every run of `total_length` consecutive half hours inside one file, oldest first.

    Args:
        times: of each file, increasing whole numbers of half hours.
        total_length: half hours of a window.

    Returns:
        (file, first slot) of each, int64 `[N, 2]`.
    """
    starts = []
    for number, slots in enumerate(times):
        last = slots[total_length - 1 :]
        runs = np.flatnonzero(last - slots[: len(last)] == total_length - 1)
        starts.append(np.stack([np.full_like(runs, number), runs], axis=1))
    return np.concatenate(starts)


def split_windows(
    starts: np.ndarray, total_length: int, rule: str, test_windows: int
) -> tuple[np.ndarray, np.ndarray]:
    """Windows to train on and to test on; the last `test_windows` are for testing.

    Args:
        starts: of `windows`.
        total_length: half hours of a window.
        rule: "reference": all others are for training; "clean": those that share no half hour
            with a test window.
        test_windows: their number.

    Raises `MimError` if no window is left to train on.
    """
    train, test = np.split(starts, [max(len(starts) - test_windows, 0)])
    if rule == "clean" and len(train):
        number, first = test[0]
        train = train[(train[:, 0] < number) | (train[:, 1] + total_length <= first)]
    if not len(train):
        raise MimError(
            f"Expected more windows of {total_length} half hours without a gap than the "
            f"{test_windows} to test on, received {len(starts)}, of which none is left to train "
            f"on by the {rule} rule. Lower total_length, or add files: TaxiBJ has four."
        )
    return train, test


# MERGED: TaxiBJ: inflow and outflow of taxis in the cells of a city, every half hour.


TEST_WINDOWS = 4 * 7 * 48


def open_taxibj(
    paths: list[Path],
    split: str,
    total_length: int,
    data: DataConfig,
    test_windows: int = TEST_WINDOWS,
) -> SequenceSource:
    """One split of TaxiBJ, of another city in its format, or of a made-up one.

    Days without all 48 half hours are left out, negative counts set to 0. Windows are all runs of
    `total_length` half hours without a gap inside one file; the last `test_windows` are for
    testing, the others for training. Frames are counts scaled so that the lowest and the highest
    of all but the last `test_windows` half hours are 0 and 1; `scale` has the two, in vehicles a
    half hour.

    Counts of those last half hours that are lower or higher are clipped to 0 or 1, because frames
    are in [0, 1] everywhere in this package. The 2019 code did not clip, so scores compare with
    published ones where `clipped_values` in `describe`, counted over all files, is 0. It should
    be for the published files: their highest counts are reported as 1230, 1292, 1274 and 1250,
    year by year (data/TaxiBJ.ipynb in github.com/Sosa-Liu/AdaSTTC).

    Source: 2019 code. It left out the last window before every gap and at the end of every file,
    so its test windows begin a few half hours earlier than these.

    Args:
        paths: a folder with files `*_InOut.h5`, such as BJ13_M32x32_T30_InOut.h5, whose names
            sort by year, or else with dataset.npz; or such `.h5` files, in year order; or one
            `.npz`, see `TaxiBJNpzSource`. Empty for the synthetic city.
        split: "train", or "valid" or "test", which are the same windows.
        total_length: frames of a window.
        data: order of the frames, rule of the split, and whether the city is synthetic.
        test_windows: windows to test on, and half hours that the scale is not fitted to.

    Returns:
        Sequences `(total_length, H, W, 2)`, inflow and outflow.

    Raises `MimError` for files that cannot be used, and for too few windows.
    """
    files = _files(paths, data.taxibj_synthetic)
    if any(path.suffix == ".npz" for path in files):
        return _open_npz(files, split, total_length, data)
    slots = [synthetic_city()] if data.taxibj_synthetic else map(read_h5, files)
    years = [complete_days(each) for each in slots]
    _check_years(years)
    starts = windows([year.times for year in years], total_length)
    train, test = split_windows(starts, total_length, data.taxibj_split, test_windows)
    starts = train if split == "train" else test
    scale, clipped = _fit_scale(years, test_windows)
    # Years without a window of the split are not kept in memory.
    used, starts[:, 0] = np.unique(starts[:, 0], return_inverse=True)
    source = (NewestFirst if data.taxibj_order == "reference" else WindowSource)(
        [_Year(years[i].name, scale.to_unit(years[i].counts)) for i in used],
        years[0].counts.shape[1:],
        total_length,
        starts=starts,
        description={
            "source": (
                "synthetic city, made up; not TaxiBJ"
                if data.taxibj_synthetic
                else "TaxiBJ format, .h5"
            ),
            "paths": [str(path) for path in files],
            "order": data.taxibj_order,
            "rule": data.taxibj_split,
            "test_windows": test_windows,
            "scale": scale.as_json(),
            "dropped_days": sum(year.dropped for year in years),
            "clipped_values": clipped,
        },
    )
    source.scale = scale
    return source


def taxibj_frame_shape(paths: list[Path], data: DataConfig) -> tuple[int, int, int]:
    """(H, W, C) of the frames; only the first file is opened. Raises as `open_taxibj`."""
    if data.taxibj_synthetic:
        return SIDE, SIDE, 2
    file = _files(paths, False)[0]
    return (*(read_npz_grid if file.suffix == ".npz" else read_h5_grid)(file), 2)


class _Year(Recording):
    def __init__(self, name, frames):
        self.name, self.length = name, len(frames)
        self._frames = frames

    def read(self, positions: Indices) -> np.ndarray:
        return self._frames[positions]


def _files(paths, synthetic):
    """The data files that `paths` stand for."""
    if synthetic and paths:
        raise MimError(
            "Expected no files for the synthetic city, received "
            f"{', '.join(map(str, paths))}. Leave out these or --taxibj_synthetic."
        )
    if not synthetic and not paths:
        raise MimError(
            "Expected the folder or the .h5 files of TaxiBJ, or its dataset.npz, received no "
            "path. Give --train_data_paths; --taxibj_synthetic takes a made-up small city instead."
        )
    if len(paths) != 1 or not os.path.isdir(paths[0]):
        return paths
    folder = paths[0]
    entries = list_folder(folder, "a folder of TaxiBJ")
    # Names that begin with a dot are what macOS leaves in archives.
    files = [path for path in entries if fnmatch.fnmatch(path.name, "[!.]*_InOut.h5")]
    files = files or [path for path in entries if path.name == "dataset.npz"]
    if not files:
        found = [path.name for path in entries]
        listed = ", ".join(found[:5]) + (", ..." if len(found) > 5 else "")
        raise MimError(
            f"{folder}: expected files named *_InOut.h5, such as BJ13_M32x32_T30_InOut.h5, or "
            f"dataset.npz, found {listed or 'nothing'}. Give the folder that holds them, rename "
            "them, or give the files themselves."
        )
    return files


def _open_npz(files, split, total_length, data):
    if len(files) > 1:
        raise MimError(
            f"Expected one .npz file of TaxiBJ alone, received {', '.join(map(str, files))}."
        )
    if (data.taxibj_order, data.taxibj_split) != ("chronological", "reference"):
        raise MimError(
            f"{files[0]} has no dates, so its order and split cannot be changed: expected "
            "--taxibj_order=chronological and --taxibj_split=reference, received "
            f"{data.taxibj_order} and {data.taxibj_split}. Leave the flags out, or use the .h5 "
            "files."
        )
    return TaxiBJNpzSource(files[0], split, total_length, data.check_files)


def _check_years(years: list[CompleteDays]):
    for earlier, later in itertools.pairwise(years):
        if later.counts.shape[1:] != earlier.counts.shape[1:]:
            height, width, _ = earlier.counts.shape[1:]
            raise MimError(
                f"{later.name}: expected the {height} x {width} cells (height x width) of "
                f"{earlier.name}, received {later.counts.shape[1]} x {later.counts.shape[2]}. "
                "Files of one run need one grid."
            )
        if later.times[0] <= earlier.times[-1]:
            raise MimError(
                f"{later.name}: expected dates after those of {earlier.name}, received earlier or "
                "the same ones. Give the files in year order, each once."
            )


def _fit_scale(years, held_out):
    """The scale of all but the last `held_out` slots, and how many values are outside it."""
    counts = [year.counts for year in years]
    left = sum(map(len, counts)) - held_out
    extremes = []
    for part in counts:
        part, left = part[: max(left, 0)], left - len(part)
        if len(part):
            extremes += [float(part.min()), float(part.max())]
    low, high = min(extremes), max(extremes)
    if low == high:
        raise MimError(
            f"{years[0].name}: expected counts that differ, received {low} in all half hours "
            "before the last ones, which are for testing. Use files with counts."
        )
    clipped = sum(np.count_nonzero((part < low) | (part > high)) for part in counts)
    return LinearScale("vehicles", low, high), int(clipped)
