"""Arrays of frames, in memory and in `.npy` files.

Arrays of files are memory-mapped: only the sequences that are asked for are read. `Stamp` and
`take` protect a mapped file that another program changes meanwhile. The checks that every array of
frames has to pass are here, too.
"""

import dataclasses
import math
import os
from io import BufferedReader
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np

from mim_tf.data.source import Indices, SequenceSource
from mim_tf.errors import MimError
from mim_tf.storage.paths import opened

CHUNK_VALUES = 2**22
"""Values that are checked at a time, to limit memory."""


@dataclasses.dataclass(frozen=True)
class Stamp:
    """Size and modification time of a file, by which another content is detected."""

    path: str
    size: int
    changed: int

    @classmethod
    def of(cls, path: str | Path) -> "Stamp":
        """Return the present stamp of a file."""
        status = os.stat(path)
        return cls(str(path), status.st_size, status.st_mtime_ns)

    def check(self) -> None:
        """Raise `MimError` if the file was changed. A deleted file can still be read."""
        try:
            now = Stamp.of(self.path)
        except FileNotFoundError:
            return
        if now != self:
            raise MimError(
                f"{self.path} was changed while it was in use: expected {self.size} bytes, got "
                f"{now.size} and another modification time. Start again."
            )


class MappedArray(np.memmap):
    """A memory-mapped array that carries the stamp of its file; read it with `take`.

    Arguments as for `numpy.memmap`, with an open file.
    """

    stamp: Stamp | None = None

    def __new__(cls, file: BufferedReader, *layout: Any):
        stamp = Stamp.of(file.name)
        array: Any = super().__new__(cls, file, *layout)  # type: ignore[call-overload]
        array.stamp = stamp
        return array

    def __array_finalize__(self, obj):
        super().__array_finalize__(obj)
        self.stamp = getattr(obj, "stamp", None)


def take(array: np.ndarray, index: Any) -> np.ndarray:
    """Return `array[index]` as an ordinary array; raise `MimError` if its file was changed.

    Unchecked, a rewritten file would give wrong values and a shortened one kill the process.
    """
    stamp = getattr(array, "stamp", None)
    if stamp:
        stamp.check()
    return np.asarray(array[index])


class ArraySource(SequenceSource):
    """Sequences of one array; nothing is copied before a sequence is asked for.

    Args:
        array: `[N, T, H, W]` or `[N, T, H, W, C]`, uint8 in 0..255 or float in [0, 1].
        total_length: frames of a sequence; longer ones are cut to their first frames. None: all.
        name: file or other origin, for messages and `describe`.
    """

    def __init__(self, array: np.ndarray, total_length: int | None = None, name: str = "array"):
        check_array(array, name, {4: "[N, T, H, W]", 5: "[N, T, H, W, C]"})
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
        return to_float32(take(self.frames, np.asarray(indices, np.int64)))

    def describe(self) -> dict:
        return super().describe() | {
            "source": "array",
            "paths": [self.name],
            "dtype": self.frames.dtype.name,
        }


def open_array(path: str | Path, time_first: bool | None = None) -> np.ndarray:
    """Map a `.npy` file as `[N, T, ...]`, or whatever else it holds.

    `time_first` says whether its axes are `[T, N, H, W]`. None: they are exactly if the file looks
    like `mnist_test_seq.npy`, uint8 `[20, more than 20, 64, 64]`.
    """
    with opened(path, "a .npy file", " written by numpy.save without pickling") as file:
        shape, order, dtype = read_header(file)
        if dtype.hasobject:
            raise ValueError("it holds pickled Python objects, which are never loaded")
        expected, size = file.tell() + math.prod(shape) * dtype.itemsize, os.path.getsize(path)
        if expected != size:
            raise ValueError(f"its header declares {expected} bytes, it has {size}")
        array = MappedArray(file, dtype, "r", file.tell(), shape, order)
    if time_first is None:
        time_first = (
            array.ndim == 4
            and array.dtype == np.uint8
            and array.shape[0] == 20 < array.shape[1]
            and array.shape[2:] == (64, 64)
        )
    if time_first and array.ndim < 4:
        raise MimError(f"{path}: Expected [T, N, H, W], got shape {array.shape}.")
    return array.swapaxes(0, 1) if time_first else array


def read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], Literal["C", "F"], np.dtype]:
    """Return shape, order and dtype of a `.npy` stream; use it within `opened`."""
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
    """Return uint8 levels 0..255 as float32 in [0, 1]."""
    return np.divide(levels, np.float32(255), dtype=np.float32)


def to_float32(values: np.ndarray) -> np.ndarray:
    """Return uint8 levels as float32 in [0, 1], and floats as float32."""
    return from_uint8(values) if values.dtype == np.uint8 else values.astype(np.float32)


def check_array(array: np.ndarray, name: str | Path, layouts: dict[int, str]) -> None:
    """Raise `MimError` for an array that is empty, of another rank, or neither uint8 nor float.

    `layouts` maps the possible numbers of axes to the axes, such as `{4: "[N, T, H, W]"}`.
    """
    is_number = array.dtype == np.uint8 or array.dtype.kind == "f"
    if array.ndim not in layouts or 0 in array.shape or not is_number:
        raise MimError(
            f"{name}: Expected frames {' or '.join(layouts.values())}, levels as uint8 or floats, "
            f"got {array.dtype} {list(array.shape)}. Convert and reshape them."
        )


def check_length(name: str, received: int, total_length: int) -> None:
    """Raise `MimError` if sequences of `received` frames are shorter than `total_length`."""
    if received < total_length:
        raise MimError(
            f"{name}: Expected at least total_length = {total_length} frames a sequence, got "
            f"{received}. Lower --total_length or use longer sequences."
        )


def check_interval(
    values: np.ndarray,
    name: str,
    axes: tuple[str, ...],
    low: float = 0,
    remedy: str = "Divide levels 0..255 by 255 or save them as uint8",
) -> None:
    """Raise `MimError` for the first value that is NaN or outside [`low`, 1].

    The message names the position along the first `axes`, such as `("sequence", "frame")`.
    """
    step = max(1, CHUNK_VALUES // (values[0].size or 1))
    for start in range(0, len(values), step):
        chunk = take(values, slice(start, start + step))
        inside = (chunk >= low) & (chunk <= 1)  # NaN compares as False.
        if inside.all():
            continue
        position = np.argwhere(~inside)[0]
        value = chunk[tuple(position)]
        position[0] += start
        place = ", ".join(f"{axis} {n}" for axis, n in zip(axes, position, strict=False))
        raise MimError(
            f"{name}: Expected values in [{low}, 1], got {value} in {place}. {remedy}; replace "
            "missing values."
        )
