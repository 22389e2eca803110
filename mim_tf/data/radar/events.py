"""Radar events as recordings, in each of the layouts they come in."""

import abc
import math
from pathlib import Path

import imageio.v3 as imageio
import numpy as np

from mim_tf.data.files.arrays import CHUNK_VALUES, open_array
from mim_tf.data.files.images import natural_order, read_image
from mim_tf.data.files.npz_member import read_main_member
from mim_tf.data.windows import Recording
from mim_tf.errors import MimError


def open_event(path, values) -> "Event":
    """The event at `path`, its values checked.

    Args:
        path: a folder of PNG pictures or of `.npy` files `[H, W]`, in natural order of their
            names; or a `.npy` or `.npz` file `[T, H, W]` or `[T, H, W, 1]`.
        values: `RadarValues`, what the stored numbers stand for.

    Raises `MimError` for other content, frames of several sizes or dtypes, and values that are
    neither in range nor declared missing. Pixels of pictures are only read with their frames.
    """
    path = Path(path)
    event = _folder_event(path, values) if path.is_dir() else _ArrayEvent(path, values)
    event.check_values()
    return event


def visible_entries(folder) -> list[Path]:
    """What is in `folder`, hidden entries left out, frame2 before frame10.

    Raises `MimError` where it cannot be listed.
    """
    try:
        entries = [path for path in Path(folder).iterdir() if not path.name.startswith(".")]
    except OSError as error:
        raise MimError(
            f"{folder}: expected a folder of radar events, received a path that cannot be listed "
            f"({error.strerror}). Check the path."
        ) from None
    return sorted(entries, key=natural_order)


class Event(Recording):
    """Frames of one channel.

    Attributes:
        path: of the event.
        frame_shape: (H, W).
        dtype: of the stored numbers; all frames have it.
    """

    path: Path
    frame_shape: tuple[int, int]
    dtype: np.dtype

    def __init__(self, path, values):
        self.path = path
        self.name = str(path)
        self._values = values

    @abc.abstractmethod
    def stored(self, positions) -> np.ndarray:
        """Frames as they are stored, `[len(positions), H, W]`."""

    def frame_name(self, position) -> str:
        """How messages call a frame."""
        return f"{self.path}, frame {position}"

    def read(self, positions):
        return self._values.to_unit(self.stored(positions))[..., None]

    def missing(self, positions):
        if not self._values.missing:
            return None
        return self._values.are_missing(self.stored(positions))[..., None]

    def check_values(self):
        """Raises `MimError` for the first value the event should not have; reads in parts."""
        if self.dtype == np.uint8:
            return
        step = max(1, CHUNK_VALUES // math.prod(self.frame_shape))
        for start in range(0, self.length, step):
            stored = self.stored(range(start, min(start + step, self.length)))
            fault = self._values.fault(stored)
            if fault:
                frame, problem = fault
                raise MimError(f"{self.frame_name(start + frame)}: {problem}")


class _ArrayEvent(Event):
    """One file for all frames; memory-mapped, unless it is a compressed `.npz`."""

    def __init__(self, path, values):
        super().__init__(path, values)
        array = _open_frames(path)
        self.length, *frame_shape = array.shape
        self.frame_shape, self.dtype = tuple(frame_shape), array.dtype
        # A mapped file stays open, and there may be more events than a process may open files.
        self._loaded = None if isinstance(array, np.memmap) else array

    def stored(self, positions):
        array = _open_frames(self.path) if self._loaded is None else self._loaded
        return np.asarray(array[np.asarray(positions)])


class _FrameFilesEvent(Event):
    """A folder with a file for each frame."""

    def __init__(self, path, values, files):
        super().__init__(path, values)
        self._files = files
        self.length = len(files)
        first, *others = map(self._layout, files)
        for file, layout in zip(files[1:], others, strict=True):
            if layout != first:
                raise MimError(
                    f"{file}: expected {first[1]} {list(first[0])} [H, W] as in {files[0].name}, "
                    f"received {layout[1]} {list(layout[0])}. Frames of an event need one size "
                    "and one dtype."
                )
        self.frame_shape, self.dtype = first

    def frame_name(self, position):
        return str(self._files[position])

    @abc.abstractmethod
    def _layout(self, file):
        """(H, W) and dtype of a file; `MimError` where it is no frame."""


class _FrameArraysEvent(_FrameFilesEvent):
    def stored(self, positions):
        return np.stack([open_array(self._files[n], time_first=False) for n in positions])

    def _layout(self, file):
        array = open_array(file, time_first=False)
        if array.ndim != 2 or 0 in array.shape:
            raise MimError(
                f"{file}: expected a frame [H, W], received shape {list(array.shape)}. An event "
                "in one file [T, H, W] stands beside the event folders, not in one."
            )
        _check_dtype(file, array.dtype)
        return array.shape, array.dtype


class _PicturesEvent(_FrameFilesEvent):
    """Pictures are decoded when they are asked for, and kept."""

    def __init__(self, path, values, files):
        super().__init__(path, values, files)
        self._decoded = {}

    def stored(self, positions):
        return np.stack([self._picture(int(n)) for n in positions])

    def _picture(self, n):
        if n not in self._decoded:
            self._decoded[n] = read_image(self._files[n])[..., 0]
        return self._decoded[n]

    def _layout(self, file):
        (height, width, *channels), dtype = _picture_header(file)
        if channels not in ([], [1], [2]) or dtype not in (np.uint8, bool):
            raise MimError(
                f"{file}: expected levels of grey of 8 bits, received {dtype} with "
                f"{(channels or [1])[0]} channels. A colour map cannot be inverted: save the "
                "levels 0..255 of the reflectivity themselves, or arrays."
            )
        return (height, width), np.dtype(np.uint8)


def _folder_event(path, values):
    files = visible_entries(path)
    pictures = [file for file in files if file.suffix.lower() == ".png"]
    arrays = [file for file in files if file.suffix.lower() == ".npy"]
    if bool(pictures) == bool(arrays):
        raise MimError(
            f"{path}: expected an event, a folder of PNG pictures or of .npy files [H, W], found "
            f"{'both' if pictures else 'neither'}. Remove what is no frame of the event, or give "
            "the folder directly above the events."
        )
    if pictures:
        return _PicturesEvent(path, values, pictures)
    return _FrameArraysEvent(path, values, arrays)


def _open_frames(path):
    """The array `[T, H, W]` of a file."""
    is_npy = path.suffix.lower() == ".npy"
    array = open_array(path, time_first=False) if is_npy else read_main_member(path)
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


def _picture_header(file):
    """Shape `[H, W]` or `[H, W, C]` and dtype of a picture, without decoding it."""
    try:
        header = imageio.improps(file, plugin="pillow", index=0)
    except Exception:  # read_image says what is wrong.
        header = read_image(file)
    return header.shape, header.dtype
