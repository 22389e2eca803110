"""What the stored numbers of radar frames stand for."""

import dataclasses
import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mim_tf.config import DataConfig
from mim_tf.data.files.arrays import CHUNK_VALUES, Stamp, from_uint8, open_array
from mim_tf.data.files.images import image_header, natural_order, read_image
from mim_tf.data.files.npz_member import main_key, read_member
from mim_tf.data.files.videos import Pictures
from mim_tf.data.source import Indices
from mim_tf.data.windows import Recording, WindowSource
from mim_tf.errors import MimError
from mim_tf.storage.paths import list_folder
from mim_tf.values.scale import LinearScale


@dataclasses.dataclass(frozen=True)
class RadarValues:
    """What the stored numbers of radar frames stand for.

    Args:
        scale: bounds in dBZ.
        kind: of floats, "dbz" or "unit".
        missing: numbers, and NaN, that stand for missing values.
    """

    scale: LinearScale
    kind: str
    missing: tuple[float, ...] = ()

    def are_missing(self, stored: np.ndarray) -> np.ndarray:
        """Where `stored` is one of the values that stand for missing ones; bool of its shape."""
        found = np.zeros(stored.shape, bool)
        with np.errstate(over="ignore"):  # The dtype may not have a number as large as `value`.
            for value in self.missing:
                found |= np.isnan(stored) if math.isnan(value) else stored == value
        return found

    def to_unit(self, stored: np.ndarray) -> np.ndarray:
        """uint8 or float frames as float32 in [0, 1], NaN where values are missing."""
        gone = self.are_missing(stored)
        # Before the map, because numbers such as -1.8e308 do not fit into float32.
        stored = np.where(gone, 0, stored)
        if stored.dtype == np.uint8:
            frames = from_uint8(stored)
        elif self.kind == "unit":
            frames = stored.astype(np.float32)
        else:
            frames = self.scale.to_unit(stored)
        frames[gone] = np.nan
        return frames

    def fault(self, stored: np.ndarray) -> tuple[int, str] | None:
        """The first of the floats `[n, H, W]` that should not be there.

        Returns:
            (index of its frame, what is wrong with it and how to mend it), or None.
        """
        sound = np.isfinite(stored)
        if self.kind == "unit":
            sound &= (stored >= 0) & (stored <= 1)
        sound |= self.are_missing(stored) & ~np.isinf(stored)
        if sound.all():
            return None
        place = tuple(np.argwhere(~sound)[0])
        return int(place[0]), self._complaint(stored[place])

    def _complaint(self, value):
        if math.isnan(value):
            return "received NaN. If it stands for missing values, say --radar_missing=nan."
        if math.isinf(value):
            return f"expected finite values, received {value}. Replace it."
        return (
            f"expected values in [0, 1], because of --radar_values=unit, received {value}. For "
            f"reflectivity say --radar_values=dbz; if {value:g} stands for missing values, "
            f"--radar_missing={value:g}."
        )


def parse_missing(text: str) -> tuple[float, ...]:
    """The numbers in comma separated text; `MimError` for anything but numbers and nan."""
    numbers = []
    for part in filter(None, map(str.strip, text.split(","))):
        try:
            numbers.append(float(part))
        except ValueError:
            numbers.append(math.inf)
        if math.isinf(numbers[-1]):
            raise MimError(
                f"radar_missing must be nan or numbers, comma separated, received {part!r}."
            )
    return tuple(numbers)


# MERGED: Radar events as recordings, in each of the layouts they come in.


def list_events(folder: str | Path) -> list[Path]:
    """The events in a folder, in natural order: subfolders, and `.npy` and `.npz` files.

    Other files are left out. Raises `MimError` if there is no event.
    """
    events = [
        path
        for path in _visible_entries(folder)
        if os.path.isdir(path) or path.suffix.lower() in (".npy", ".npz")
    ]
    if not events:
        raise MimError(
            f"{folder}: expected radar events, each a subfolder of PNG pictures or of .npy files "
            "[H, W], or a .npy or .npz file [T, H, W]; found none. Give the folder that holds the "
            "events, not an event."
        )
    return events


class Event(Recording):
    """Frames of one channel.

    Args:
        path: of the event.
        stored: from positions to frames as they are stored, `[len(positions), H, W]`.
        length: number of frames.
        frame_shape: (H, W).
        dtype: of the stored numbers; all frames have it.
        files: of the frames, if each has its own.
    """

    def __init__(
        self,
        path: Path,
        stored: Callable,
        length: int,
        frame_shape: tuple[int, int],
        dtype: np.dtype,
        files: list[Path] | None = None,
    ):
        self.name = str(path)
        self.length = length
        self.frame_shape = tuple(frame_shape)
        self.values = None
        self._stored = stored
        self._dtype = dtype
        self._files = files

    def read(self, positions: Indices) -> np.ndarray:
        return self.values.to_unit(self._stored(positions))[..., None]

    def check_values(self) -> None:
        """Raises `MimError` for the first value the event should not have; reads in parts."""
        if self._dtype == np.uint8:
            return
        step = max(1, CHUNK_VALUES // math.prod(self.frame_shape))
        for start in range(0, self.length, step):
            fault = self.values.fault(self._stored(range(start, min(start + step, self.length))))
            if fault:
                frame, problem = start + fault[0], fault[1]
                place = self._files[frame] if self._files else f"{self.name}, frame {frame}"
                raise MimError(f"{place}: {problem}")


def open_event(path: str | Path, values: RadarValues | None = None, check: bool = True) -> Event:
    """The event at `path`, its values checked.

    Args:
        path: a folder of PNG pictures or of `.npy` files `[H, W]`, in natural order of their
            names; or a `.npy` or `.npz` file `[T, H, W]` or `[T, H, W, 1]`. A file stays
            memory-mapped, unless it is a compressed `.npz`.
        values: what the stored numbers stand for; None: nothing is read, only the size known.
        check: whether a `.npz` file is compared with its checksum, as for `read_member`.

    Raises `MimError` for other content, frames of several sizes or dtypes, and values that are
    neither in range nor declared missing. Pixels of pictures are only read with their frames.
    """
    path = Path(path)
    event = _folder_event(path) if os.path.isdir(path) else _array_event(path, check)
    event.values = values
    if values:
        event.check_values()
    return event


def _array_event(path, check):
    array = _open_frames(path, check)
    stamp = Stamp.of(path)
    # A mapped file stays open, and there may be more events than a process may open files.
    kept = None if isinstance(array, np.memmap) else array

    def stored(positions):
        if kept is not None:
            return kept[np.asarray(positions)]
        stamp.check()
        return np.asarray(_open_frames(path, check)[np.asarray(positions)])

    return Event(path, stored, len(array), array.shape[1:], array.dtype)


def _folder_event(path):
    entries = _visible_entries(path)
    pictures = [file for file in entries if file.suffix.lower() == ".png"]
    arrays = [file for file in entries if file.suffix.lower() == ".npy"]
    if bool(pictures) == bool(arrays):
        raise MimError(
            f"{path}: expected an event, a folder of PNG pictures or of .npy files [H, W], found "
            f"{'both' if pictures else 'neither'}. Remove what is no frame of the event, or give "
            "the folder directly above the events."
        )
    files = pictures or arrays
    first, *others = map(_picture_layout if pictures else _array_layout, files)
    for file, layout in zip(files[1:], others, strict=True):
        if layout != first:
            raise MimError(
                f"{file}: expected {first[1]} {list(first[0])} [H, W] as in {files[0].name}, "
                f"received {layout[1]} {list(layout[0])}. Frames of an event need one size "
                "and one dtype."
            )
    stamps = [Stamp.of(file) for file in files]
    decoded = Pictures(path, pictures, lambda file: read_image(file)[..., 0])

    def stored(positions):
        for n in positions:
            stamps[n].check()
        if pictures:
            return decoded.levels(positions)
        return np.stack([open_array(arrays[n], time_first=False) for n in positions])

    return Event(path, stored, len(files), *first, files)


def _array_layout(file):
    """(H, W) and dtype of a frame in a file of its own."""
    array = open_array(file, time_first=False)
    if array.ndim != 2 or 0 in array.shape:
        raise MimError(
            f"{file}: expected a frame [H, W], received shape {list(array.shape)}. An event "
            "in one file [T, H, W] stands beside the event folders, not in one."
        )
    _check_dtype(file, array.dtype)
    return array.shape, array.dtype


def _picture_layout(file):
    height, width, mode = image_header(file)
    if mode not in ("1", "L", "LA"):
        raise MimError(
            f"{file}: expected levels of grey of 8 bits, received a picture of mode {mode}. A "
            "colour map cannot be inverted: save the levels 0..255 of the reflectivity "
            "themselves, or arrays."
        )
    return (height, width), np.dtype(np.uint8)


def _visible_entries(folder):
    """What is in `folder`, hidden entries left out, frame2 before frame10."""
    entries = list_folder(folder, "a folder of radar events")
    return sorted((e for e in entries if not e.name.startswith(".")), key=natural_order)


def _open_frames(path, check):
    """The array `[T, H, W]` of a file."""
    is_npy = path.suffix.lower() == ".npy"
    if is_npy:
        array = open_array(path, time_first=False)
    else:
        array = read_member(path, main_key(path), check=check)
    if array.ndim == 4 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim != 3:
        raise MimError(
            f"{path}: expected an event [T, H, W] or [T, H, W, 1], received shape "
            f"{list(array.shape)}. Save each event in a file of its own; frames [H, W] of one "
            "event belong into a folder."
        )
    if 0 in array.shape:
        raise MimError(f"{path}: expected at least one frame, received {list(array.shape)}.")
    _check_dtype(path, array.dtype)
    return array


def _check_dtype(path, dtype):
    if dtype != np.uint8 and dtype.kind != "f":
        raise MimError(
            f"{path}: expected floats, or levels as uint8, received {dtype}. Convert with astype."
        )


# MERGED: Windows of radar events.


def open_events(paths: list[Path], total_length: int, data: DataConfig) -> WindowSource:
    """Windows of events, none of them across two.

    Arrays of floats are read once, in parts, to check them; they stay in their files, unless these
    are compressed. Pictures are decoded when they are first asked for, and kept as uint8.

    Args:
        paths: of the events, as `list_events` returns them; frames of one size.
        total_length: frames of a window.
        data: `dbz_min` and `dbz_max`, which 0 and 1 in a frame and levels 0 and 255 of uint8
            arrays and pictures stand for; `radar_values` says what floats are, "dbz", clipped to
            these, or "unit", already in [0, 1]; `radar_missing`, as they are stored (levels,
            where these are), are NaN in `sequences`; stride and interval of windows, and
            thresholds of the scores, in dBZ.

    Raises `MimError` for events that cannot be read or do not fit each other, values that are
    infinite, NaN without being declared missing, or outside [0, 1] where they are "unit", and
    thresholds outside the bounds.
    """
    scale = LinearScale("dBZ", data.dbz_min, data.dbz_max)
    if data.event_thresholds:
        scale.check_thresholds(data.event_thresholds)
    values = RadarValues(scale, data.radar_values, parse_missing(data.radar_missing))
    events = [open_event(path, values, data.check_files) for path in paths]
    _check_one_size(events)
    source = WindowSource(
        events,
        (*events[0].frame_shape, 1),
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


def _check_one_size(events):
    if not events:
        raise MimError("Expected at least one radar event, received none.")
    for event in events:
        if event.frame_shape != events[0].frame_shape:
            raise MimError(
                f"{event.name}: expected frames of {list(events[0].frame_shape)} [H, W] as in "
                f"{events[0].name}, received {list(event.frame_shape)}. Events of one run need "
                "frames of one size."
            )
