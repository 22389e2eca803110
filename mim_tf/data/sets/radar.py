"""Radar events: folders of pictures, folders of `.npy` files, and `.npy` or `.npz` files.

An event is a recording; windows never cross two. The stored numbers are levels (uint8), which are
equal steps between two reflectivities, or floats, whose meaning `RadarValues` holds. Floats are
checked when an event is opened, in parts; afterwards they are read from their files when asked for.
"""

import math
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mim_tf.config import DataConfig
from mim_tf.data.files.arrays import CHUNK_VALUES, Stamp, check_array, open_array, take, to_float32
from mim_tf.data.files.images import image_header, natural_order, read_image
from mim_tf.data.files.npz_member import open_frames
from mim_tf.data.files.videos import Pictures
from mim_tf.data.source import Indices
from mim_tf.data.windows import Recording, WindowSource
from mim_tf.errors import MimError
from mim_tf.storage.paths import list_folder
from mim_tf.values.scale import LinearScale


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
                found |= np.isnan(stored) if math.isnan(value) else stored == value
        return found & ~np.isinf(stored)

    def to_unit(self, stored: np.ndarray) -> np.ndarray:
        """Return uint8 or float frames as float32 in [0, 1], NaN where values are missing."""
        gone = self.are_missing(stored)
        # Before the conversion, because numbers such as -1.8e308 do not fit into float32.
        stored = np.where(gone, 0, stored)
        is_unit = stored.dtype == np.uint8 or self.kind == "unit"
        frames = to_float32(stored) if is_unit else self.scale.to_unit(stored)
        frames[gone] = np.nan
        return frames

    def find_fault(self, stored: np.ndarray) -> tuple[int, str] | None:
        """Return the frame of the first impossible value of `[n, H, W]` and what is wrong."""
        possible = np.isfinite(stored)
        if self.kind == "unit":
            possible &= (stored >= 0) & (stored <= 1)
        possible |= self.are_missing(stored)
        if possible.all():
            return None
        frame, row, column = np.argwhere(~possible)[0]
        value = stored[frame, row, column]
        if np.isnan(value):
            problem = "got NaN. If it marks missing values, give --radar_missing=nan."
        elif np.isinf(value):
            problem = f"Expected finite values, got {value}. Replace it."
        else:
            problem = (
                f"Expected values in [0, 1] with --radar_values=unit, got {value}. Give "
                f"--radar_values=dbz, or --radar_missing={value:g} if it marks missing values."
            )
        return int(frame), problem


def parse_missing(text: str) -> tuple[float, ...]:
    """Return the numbers in comma-separated text."""
    numbers = []
    for part in filter(None, map(str.strip, text.split(","))):
        try:
            numbers.append(float(part))
        except ValueError:
            numbers.append(math.inf)
        if math.isinf(numbers[-1]):
            raise MimError(
                f"Expected --radar_missing to be nan or numbers, comma separated, got {part!r}."
            )
    return tuple(numbers)


def list_events(folder: str | Path) -> list[Path]:
    """Return the events in a folder: subfolders, and `.npy` and `.npz` files, in natural order."""
    events = [
        path
        for path in _visible_entries(folder)
        if os.path.isdir(path) or path.suffix.lower() in (".npy", ".npz")
    ]
    if not events:
        raise MimError(
            f"{folder}: Expected radar events, each a subfolder of PNG pictures or of .npy files "
            "[H, W], or a .npy or .npz file [T, H, W]; got none. Give the folder above the events."
        )
    return events


class Event(Recording):
    """Frames of one channel, `frame_shape` (H, W), in one file or in a file each."""

    def __init__(self, path: Path, values: RadarValues | None, check: bool):
        self.name = str(path)
        self._values = values
        self._check = check
        self._folder = os.path.isdir(path)
        self._files = _frame_files(path) if self._folder else [path]
        self._array = self._pictures = None
        if self._folder:
            self.length = len(self._files)
            self.frame_shape, self._dtype = _common_layout(self._files)
            if self._files[0].suffix.lower() == ".png":
                self._pictures = Pictures(path, self._files, lambda file: read_image(file)[..., 0])
        else:
            array = _open_event_array(path, check)
            self.length, *self.frame_shape = array.shape
            self._dtype = array.dtype
            # A mapped file stays open, and there may be more events than files a process may open.
            self._array = None if isinstance(array, np.memmap) else array
        self._stamps = [Stamp.of(file) for file in self._files]

    def read(self, positions: Indices) -> np.ndarray:
        assert self._values is not None
        return self._values.to_unit(self._stored(positions))[..., None]

    def check_values(self) -> None:
        """Raise `MimError` for the first impossible value; read floats in parts."""
        if self._dtype == np.uint8 or self._values is None:
            return
        step = max(1, CHUNK_VALUES // math.prod(self.frame_shape))
        for start in range(0, self.length, step):
            stored = self._stored(range(start, min(start + step, self.length)))
            fault = self._values.find_fault(stored)
            if fault:
                frame = start + fault[0]
                place = self._files[frame] if self._folder else f"{self.name}, frame {frame}"
                raise MimError(f"{place}: {fault[1]}")

    def _stored(self, positions):
        """Return frames as they are stored, `[len(positions), H, W]`."""
        if self._array is not None:
            return self._array[np.asarray(positions)]
        for stamp in [self._stamps[n] for n in positions] if self._folder else self._stamps:
            stamp.check()
        if not self._folder:
            return take(_open_event_array(self._files[0], self._check), np.asarray(positions))
        if self._pictures:
            return self._pictures.levels(positions)
        return np.stack([np.load(self._files[n], allow_pickle=False) for n in positions])


def open_event(path: str | Path, values: RadarValues | None = None, check: bool = True) -> Event:
    """Open the event at `path` and check its floats; without `values` only its size is read.

    It is a folder of PNG pictures or of `.npy` files `[H, W]`, in natural order of their names; or
    a `.npy` or `.npz` file `[T, H, W]` or `[T, H, W, 1]`. `check` is as for `read_member`.
    """
    event = Event(Path(path), values, check)
    event.check_values()
    return event


def _frame_files(folder):
    entries = _visible_entries(folder)
    pictures = [file for file in entries if file.suffix.lower() == ".png"]
    arrays = [file for file in entries if file.suffix.lower() == ".npy"]
    if bool(pictures) == bool(arrays):
        raise MimError(
            f"{folder}: Expected a folder of PNG pictures or of .npy files [H, W], got "
            f"{'both' if pictures else 'neither'}. Give the folder directly above the events."
        )
    return pictures or arrays


def _common_layout(files):
    """Return (H, W) and dtype of frames in files of their own, which must not differ."""
    layout_of = _picture_layout if files[0].suffix.lower() == ".png" else _array_layout
    first = layout_of(files[0])
    for file in files[1:]:
        layout = layout_of(file)
        if layout != first:
            raise MimError(
                f"{file}: Expected {first[1]} {list(first[0])} [H, W] as in {files[0].name}, got "
                f"{layout[1]} {list(layout[0])}. Frames of an event need one size and one dtype."
            )
    return first


def _array_layout(file):
    array = open_array(file, time_first=False)
    check_array(array, file, {2: "[H, W], a file each"})
    return array.shape, array.dtype


def _picture_layout(file):
    height, width, mode = image_header(file)
    if mode not in ("1", "L", "LA"):
        raise MimError(
            f"{file}: Expected grey levels of 8 bits, got mode {mode}. Save levels of the "
            "reflectivity, not a colour map of them."
        )
    return (height, width), np.dtype(np.uint8)


def _visible_entries(folder):
    entries = list_folder(folder, "a folder of radar events")
    return sorted((e for e in entries if not e.name.startswith(".")), key=natural_order)


def _open_event_array(path, check):
    """Return the array `[T, H, W]` of a file."""
    array = open_frames(path, check, time_first=False)
    if array.ndim == 4 and array.shape[-1] == 1:
        array = array[..., 0]
    check_array(array, path, {3: "[T, H, W] or [T, H, W, 1] of an event"})
    return array


def open_events(paths: list[Path], total_length: int, data: DataConfig) -> WindowSource:
    """Open windows of the events of `list_events`, whose frames have one size.

    `dbz_min` and `dbz_max` of `data` are 0 and 1 in a frame, and levels 0 and 255. `radar_values`
    is the meaning of floats: "dbz", clipped to these bounds, or "unit", in [0, 1]. `radar_missing`
    lists stored numbers that mark missing values. Thresholds are in dBZ.
    """
    scale = LinearScale("dBZ", data.dbz_min, data.dbz_max)
    if data.event_thresholds:
        scale.check_thresholds(data.event_thresholds)
    values = RadarValues(scale, data.radar_values, parse_missing(data.radar_missing))
    events = [open_event(path, values, data.check_files) for path in paths]
    if not events:
        raise MimError("Expected at least one radar event, got none.")
    height, width = events[0].frame_shape
    for event in events:
        if tuple(event.frame_shape) != (height, width):
            raise MimError(
                f"{event.name}: Expected frames of {height} x {width} pixels as in "
                f"{events[0].name}, got {list(event.frame_shape)}. Use events of one size."
            )
    source = WindowSource(
        events,
        (height, width, 1),
        total_length,
        data.window_stride,
        data.frame_interval,
        description={
            "source": "radar",
            "scale": scale.as_json(),
            "values": data.radar_values,
            "missing": data.radar_missing,
        },
    )
    source.scale = scale
    source.thresholds = data.event_thresholds
    source.has_missing = bool(values.missing)
    return source
