"""Radar events: folders of pictures, folders of `.npy` files, and `.npy` or `.npz` files.

An event is a recording. Windows cross neither two events nor a time of which frames are missing.
The stored numbers are levels (uint8), which are equal steps between two reflectivities, or floats,
whose meaning `RadarValues` holds. Floats are checked when an event is opened, in parts; afterwards
they are read from their files when asked for.
"""

import math
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from absl import logging

from mim_tf.config import DataConfig
from mim_tf.data.files import arrays
from mim_tf.data.files.holes import pace_of_names
from mim_tf.data.files.images import image_header, in_natural_order, read_image
from mim_tf.data.files.recordings import Pictures, warn_of_twins
from mim_tf.data.scale_fit import marker_in
from mim_tf.data.source import Indices, Recording, WindowSource, common_value
from mim_tf.data.split import split_recordings, with_paths
from mim_tf.errors import MimError
from mim_tf.storage.paths import list_folder
from mim_tf.values.scale import POSSIBLE_DBZ, LinearScale

_STRONG = 0.75  # of the range of levels


class RadarValues(NamedTuple):
    """The meaning of stored numbers: floats are `kind` ("dbz" or "unit") or mark missing values."""

    scale: LinearScale
    kind: str
    missing: tuple[float, ...] = ()

    def are_missing(self, stored: np.ndarray) -> np.ndarray:
        """Return where `stored` has a number that marks missing values."""
        found = np.zeros(stored.shape, bool)
        # A number too large for the dtype becomes infinity, which never marks missing values.
        with np.errstate(over="ignore"):
            for value in self.missing:
                # -99.9 that was once float32 is another number in float64.
                same = stored == value, stored == np.float32(value)
                found |= np.isnan(stored) if math.isnan(value) else same[0] | same[1]
        return found & ~np.isinf(stored)

    def to_unit(self, stored: np.ndarray) -> np.ndarray:
        """Return uint8 or float frames as float32 in [0, 1], NaN where values are missing."""
        gone = self.are_missing(stored)
        # Before the conversion, because numbers such as -1.8e308 do not fit into float32.
        stored = np.where(gone, 0, stored)
        is_unit = stored.dtype == np.uint8 or self.kind == "unit"
        frames = arrays.to_float32(stored) if is_unit else self.scale.to_unit(stored)
        frames[gone] = np.nan
        return frames

    def find_fault(self, stored: np.ndarray) -> tuple[int, str] | None:
        """Return the frame of the first impossible value of `[n, H, W]` and what is wrong."""
        low, high = (0, 1) if self.kind == "unit" else POSSIBLE_DBZ
        possible = ((stored >= low) & (stored <= high)) | self.are_missing(stored)
        if possible.all():
            return None
        frame, row, column = np.argwhere(~possible)[0]
        value = stored[frame, row, column]
        if np.isinf(value):
            return int(frame), f"Expected finite values, got {value}. Replace it."
        may_be_dbz = self.kind == "unit" and not np.isnan(value)
        advice = "Give --radar_values=dbz. " if may_be_dbz else ""
        # The shortest text that is this number in the dtype of the file.
        number = str(value).removesuffix(".0")
        return int(frame), (
            f"Expected values from {low} to {high} for --radar_values={self.kind}, got {number}. "
            f"{advice}If it marks missing values, give --radar_missing={number}."
        )


def parse_missing(text: str) -> tuple[float, ...]:
    """Return the numbers in comma-separated text."""
    try:
        numbers = tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        numbers = (math.inf,)
    if any(map(math.isinf, numbers)):
        raise MimError(f"Expected --radar_missing to be nan or numbers, got {text!r}.")
    return numbers


def list_events(folder: str | Path) -> list[Path]:
    """Return the events in a folder: subfolders, and `.npy` and `.npz` files, in natural order."""
    entries = _visible_entries(folder)
    suffixes = (".npy", ".npz")
    events = [each for each in entries if os.path.isdir(each) or each.suffix.lower() in suffixes]
    if not events:
        raise MimError(
            f"{folder}: Expected radar events, subfolders or .npy or .npz files. Give the folder "
            "above the events."
        )
    warn_of_twins(events)
    return events


class Event(Recording):
    """Frames of one channel, `frame_shape` (H, W), in one file or in a file each.

    `path` is a folder of PNG pictures or of `.npy` files `[H, W]`, in natural order of their names;
    or a `.npy` or `.npz` file `[T, H, W]` or `[T, H, W, 1]`. Floats are checked at once; without
    `values` only the size is read. `check` is as for `read_member`.
    """

    def __init__(self, path: Path, values: RadarValues | None, check: bool):
        self.name = str(path)
        self._values = values
        self._check = check
        self._folder = os.path.isdir(path)
        self._files = _frame_files(path) if self._folder else [path]
        self._array = self._pictures = None
        if self._folder:
            self.length = len(self._files)
            layouts = ((file, _layout(file)) for file in self._files)
            self.frame_shape, dtype = common_value(layouts)
            self.holes, self.step = pace_of_names(self._files)
            if self._files[0].suffix.lower() == ".png":
                self._pictures = Pictures(path, self._files, lambda file: read_image(file)[..., 0])
        else:
            array = _open_event_array(path, check)
            self.length, self.frame_shape, dtype = len(array), array.shape[1:], array.dtype
            # A mapped file stays open, and there may be more events than files a process may open.
            self._array = None if isinstance(array, np.memmap) else array
        self._stamps = [arrays.Stamp.of(file) for file in self._files]
        self.ends: list[float] = []  # smallest and largest floats of parts
        if values and dtype != np.uint8:
            self._check_values(values)

    def read(self, positions: Indices) -> np.ndarray:
        assert self._values is not None
        return self._values.to_unit(self._stored(positions))[..., None]

    def _check_values(self, values):
        """Raise `MimError` for the first impossible value; read floats in parts."""
        step = max(1, arrays.CHUNK_VALUES // math.prod(self.frame_shape))
        for start in range(0, self.length, step):
            stored = self._stored(range(start, min(start + step, self.length)))
            if fault := values.find_fault(stored):
                frame = start + fault[0]
                place = self._files[frame] if self._folder else f"{self.name}, frame {frame}"
                raise MimError(f"{place}: {fault[1]}")
            known = ~values.are_missing(stored)
            self.ends += [stored.min(initial=np.inf, where=known)]
            self.ends += [stored.max(initial=-np.inf, where=known)]

    def _stored(self, positions):
        """Return frames as they are stored, `[len(positions), H, W]`."""
        if self._array is not None:
            return self._array[np.asarray(positions)]
        for stamp in [self._stamps[n] for n in positions] if self._folder else self._stamps:
            stamp.check()
        if not self._folder:
            array = _open_event_array(self._files[0], self._check)
            return arrays.take(array, np.asarray(positions))
        if self._pictures:
            return self._pictures.levels(positions)
        return np.stack([np.load(self._files[n], allow_pickle=False) for n in positions])


def _frame_files(folder):
    entries = _visible_entries(folder)
    pictures = [file for file in entries if file.suffix.lower() == ".png"]
    others = [file for file in entries if file.suffix.lower() == ".npy"]
    if bool(pictures) == bool(others):
        got = "both" if pictures else "neither"
        raise MimError(f"{folder}: Expected PNG pictures or .npy files [H, W], got {got}.")
    return pictures or others


def _layout(file):
    """Return (H, W) and dtype of the frame in a file of its own."""
    if file.suffix.lower() == ".npy":
        array = arrays.open_npy(file, swap=False)
        arrays.check_array(array, file, {2: "[H, W], a file each"})
        return array.shape, array.dtype
    height, width, mode = image_header(file)
    if mode not in ("1", "L"):
        raise MimError(
            f"{file}: Expected grey levels of 8 bits, got mode {mode}. Do not use a colour map, "
            "or transparency: save what is missing as a level, for --radar_missing."
        )
    return (height, width), np.dtype(np.uint8)


def _visible_entries(folder):
    entries = list_folder(folder, "a folder of radar events")
    return in_natural_order(entry for entry in entries if not entry.name.startswith("."))


def _open_event_array(path, check):
    """Return the array `[T, H, W]` of a file."""
    array = arrays.open_frames(path, check, swap=False)
    if array.ndim == 4 and array.shape[-1] == 1:
        array = array[..., 0]
    arrays.check_array(array, path, {3: "[T, H, W] or [T, H, W, 1] of an event"})
    return array


def open_radar(data: DataConfig, split: str, frame_shape, total_length: int) -> WindowSource:
    """Open windows of the events of a split.

    `dbz_min` and `dbz_max` of `data` are 0 and 1 in a frame, and levels 0 and 255. `radar_values`
    is the meaning of floats: "dbz", clipped to these bounds, or "unit", in [0, 1]. `radar_missing`
    lists stored numbers that mark missing values. Thresholds are in dBZ.
    """
    scale = LinearScale("dBZ", data.dbz_min, data.dbz_max)
    values = RadarValues(scale, data.radar_values, parse_missing(data.radar_missing))
    paths, _ = split_recordings(list_events, data, split)
    events = [Event(path, values, data.check_files) for path in paths]
    ends = np.array([end for event in events for end in event.ends if math.isfinite(end)])
    if ends.size and data.radar_values == "dbz":
        scale.warn_of_other_values(ends[:, None], "--radar_values=dbz")
    size = common_value(((event.name, event.frame_shape) for event in events), "pixels ")
    source = WindowSource(
        events,
        (*size, 1),
        total_length,
        data.window_stride,
        data.frame_interval,
        description={"source": "radar", "values": data.radar_values, "missing": data.radar_missing},
        scale=scale,
        thresholds=data.event_thresholds,
        has_missing=bool(values.missing),
    )
    if (marker := _marker_in(source, ends, data)) is not None:
        message = "radar: %g often marks missing values. If it does, give --radar_missing=%g."
        logging.warning(message, marker, marker)
    return source


def _marker_in(source, ends, data):
    """Return a value that often marks missing values, of the ends of floats or of some levels."""
    if ends.size:
        return marker_in(ends.min(), ends.max()) if data.radar_values == "dbz" else None
    levels = source.sequences(np.linspace(0, source.size - 1, 4).astype(int))
    # Strong rain is among less strong rain.
    highest = levels.max(initial=0, where=levels < 1)
    return 255 if (levels == 1).any() and 0 < highest < _STRONG else None


@with_paths
def shape_of_radar(paths: list[Path], data: DataConfig) -> tuple[int, int, int]:
    """Return (H, W, 1) of the frames of the first event."""
    return *Event(list_events(paths[0])[0], None, data.check_files).frame_shape, 1
