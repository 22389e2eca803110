"""Arrays that stay in their files, and files that have to stay as they are."""

import dataclasses
import math
import os
from pathlib import Path
from typing import BinaryIO

import numpy as np

from mim_tf.data.source import Indices, SequenceSource
from mim_tf.errors import MimError
from mim_tf.storage.paths import opened


@dataclasses.dataclass(frozen=True)
class Stamp:
    """Size and time of change of a file, by which another content is noticed.

    Attributes:
        path: of the file.
        size: in bytes.
        changed: nanoseconds.
    """

    path: str
    size: int
    changed: int

    @classmethod
    def of(cls, path: str | Path) -> "Stamp":
        """That of the file now. Raises `OSError` if there is none."""
        status = os.stat(path)
        return cls(str(path), status.st_size, status.st_mtime_ns)

    def check(self) -> None:
        """Raises `MimError` if the file was changed since; one that is gone was not."""
        try:
            now = Stamp.of(self.path)
        except FileNotFoundError:
            return
        if now != self:
            raise MimError(
                f"{self.path} was changed while it was in use: expected {self.size} bytes as when "
                f"it was opened, received {now.size}, with another time of change. Leave data as "
                "it is during a run, and start again."
            )


class MappedArray(np.memmap):
    """An array in a file; whenever a part of it is taken, the file has to be as it was.

    Without that, a file that is rewritten gives other values, and one that is shortened ends the
    process by a signal.
    """

    _stamp: Stamp | None = None

    def __array_finalize__(self, obj):
        super().__array_finalize__(obj)
        self._stamp = getattr(obj, "_stamp", None)

    def __getitem__(self, index):
        if self._stamp:
            self._stamp.check()
        part = super().__getitem__(index)
        is_copy = isinstance(part, MappedArray) and part._mmap is None
        return part.view(np.ndarray) if is_copy else part


def map_array(
    file: BinaryIO, dtype: np.dtype, offset: int, shape: tuple[int, ...], order: str
) -> MappedArray:
    """The array that begins at `offset` of an open file. Arguments as for `numpy.memmap`."""
    stamp = Stamp.of(file.name)
    array = MappedArray(file, dtype, "r", offset, shape, order)
    array._stamp = stamp
    return array


# MERGED: Sequences from plain arrays, in memory or in a `.npy` file.


CHUNK_VALUES = 2**22


class ArraySource(SequenceSource):
    """Sequences of one array; nothing is copied before a sequence is asked for.

    Args:
        array: `[N, T, H, W]` or `[N, T, H, W, C]`, uint8 in 0..255 or float in [0, 1].
        total_length: frames of a sequence; longer ones are cut to their first frames. None: all.
        name: file or other origin, named in messages and in `describe`.

    Raises `MimError` for another rank or dtype, no sequences, too few frames, and the first
    value that is NaN or outside [0, 1].
    """

    def __init__(self, array: np.ndarray, total_length: int | None = None, name: str = "array"):
        check_frames(array, name, {4: "[N, T, H, W]", 5: "[N, T, H, W, C]"})
        if total_length is not None:
            check_length(name, array.shape[1], total_length)
        self.name = str(name)
        self.frames = array[:, :total_length]
        if self.frames.ndim == 4:
            self.frames = self.frames[..., None]
        if array.dtype != np.uint8:
            check_interval(self.frames, name, ("sequence", "frame"))
        self.size = len(array)
        self.shape = self.frames.shape[1:]

    def sequences(self, indices: Indices) -> np.ndarray:
        rows = np.asarray(self.frames[np.asarray(indices, np.int64)])
        return from_uint8(rows) if rows.dtype == np.uint8 else rows.astype(np.float32)

    def describe(self) -> dict:
        return super().describe() | {
            "source": "array",
            "paths": [self.name],
            "dtype": self.frames.dtype.name,
        }


def open_array(path: str | Path, time_first: bool | None = None) -> np.ndarray:
    """A `.npy` file as a memory-mapped array with sequences on the first axis.

    Args:
        path: the file.
        time_first: whether its axes are `[T, N, H, W]`. None: they are exactly where the file
            looks like `mnist_test_seq.npy`, uint8 `[20, more than 20, 64, 64]`.

    Returns:
        `[N, T, H, W]` or whatever else the file holds; `ArraySource` checks it.

    Raises `MimError` if the file is missing, of another size than its header says, empty, pickled
    or no `.npy`; and later, when a part of the array is taken, if the file was changed.
    """
    with opened(path, "a .npy file", " written by numpy.save without pickling") as file:
        shape, order, dtype = read_header(file)
        if dtype.hasobject:
            raise ValueError("it holds pickled Python objects, which are never loaded")
        expected, size = file.tell() + math.prod(shape) * dtype.itemsize, os.path.getsize(path)
        if expected != size:
            raise ValueError(f"its header asks for {expected} bytes, it has {size}")
        array = map_array(file, dtype, file.tell(), shape, order)
    if time_first is None:
        time_first = (
            array.ndim == 4
            and array.dtype == np.uint8
            and array.shape[0] == 20 < array.shape[1]
            and array.shape[2:] == (64, 64)
        )
    if time_first and array.ndim < 4:
        raise MimError(
            f"{path}: expected [T, N, H, W] where time comes first, received shape {array.shape}."
        )
    return array.swapaxes(0, 1) if time_first else array


def read_header(stream: BinaryIO) -> tuple[tuple[int, ...], str, np.dtype]:
    """(shape, order, dtype) of the `.npy` file at the start of a stream, and the stream behind it.

    Lets all kinds of errors out.
    """
    version = np.lib.format.read_magic(stream)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[version]
    shape, fortran, dtype = read(stream)
    if min(shape, default=0) < 0:
        raise ValueError(f"shape {shape}")
    return shape, "F" if fortran else "C", dtype


def from_uint8(levels: np.ndarray) -> np.ndarray:
    """uint8 levels 0..255 as float32 in [0, 1]."""
    return np.divide(levels, np.float32(255), dtype=np.float32)


def check_frames(array: np.ndarray, name: str | Path, layouts: dict[int, str]) -> None:
    """Raises `MimError` for an array of other axes, an empty one, or neither uint8 nor float.

    Args:
        array: to check; its values are not read.
        name: file or other origin, for the message.
        layouts: what its axes may be, by their number.
    """
    is_number = array.dtype == np.uint8 or array.dtype.kind == "f"
    if array.ndim not in layouts or 0 in array.shape or not is_number:
        raise MimError(
            f"{name}: expected frames {' or '.join(layouts.values())}, uint8 in 0..255 or float in "
            f"[0, 1], received {array.dtype} {list(array.shape)}. Convert and reshape them."
        )


def check_length(name: str, received: int, total_length: int) -> None:
    """Raises `MimError` if sequences of `received` frames are shorter than `total_length`."""
    if received < total_length:
        raise MimError(
            f"{name}: lengths do not fit: expected at least total_length = {total_length} frames "
            f"a sequence, received {received}. Lower total_length or use longer sequences."
        )


def check_interval(
    values: np.ndarray,
    name: str,
    axes: tuple[str, ...],
    low: float = 0,
    mending: str = "Divide levels 0..255 by 255 or save them as uint8",
) -> None:
    """Raises `MimError` for the first entry of `values` that is NaN or outside [`low`, 1].

    Args:
        values: float array of any size; looked at in chunks.
        name: file or other origin, for the message.
        axes: what the first axes count, for the message, such as `("sequence", "frame")`.
        low: the lowest value.
        mending: what to do about values outside, for the message.
    """
    step = max(1, CHUNK_VALUES // (values[0].size or 1))
    for start in range(0, len(values), step):
        chunk = values[start : start + step]
        # Written so that NaN, which min and max hand on, fails it too.
        if chunk.min() >= low and chunk.max() <= 1:
            continue
        flat = chunk.reshape(*chunk.shape[: len(axes)], -1)
        position = np.argwhere(~((flat >= low) & (flat <= 1)))[0]
        value = flat[tuple(position)]
        position[0] += start
        place = ", ".join(f"{axis} {index}" for axis, index in zip(axes, position, strict=False))
        lowest, highest = np.fmin.reduce(chunk, axis=None), np.fmax.reduce(chunk, axis=None)
        raise MimError(
            f"{name}: expected values in [{low}, 1], received {value} in {place} (values around "
            f"it from {lowest} to {highest}). {mending}; replace missing values."
        )
