"""Radar events as recordings, in each of the layouts they come in."""

import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mim_tf.data.files.arrays import CHUNK_VALUES, open_array
from mim_tf.data.files.frame_cache import Pictures
from mim_tf.data.files.images import image_header, natural_order, read_image
from mim_tf.data.files.mapped import Stamp
from mim_tf.data.files.npz_member import main_key, read_member
from mim_tf.data.radar.values import RadarValues
from mim_tf.data.source import Indices
from mim_tf.data.windows import Recording
from mim_tf.errors import MimError
from mim_tf.given_path import list_folder


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

    def missing(self, positions: Indices) -> np.ndarray | None:
        if not self.values.missing:
            return None
        return self.values.are_missing(self._stored(positions))[..., None]

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
