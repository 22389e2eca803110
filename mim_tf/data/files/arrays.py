"""Arrays of frames, in memory, in `.npy` files and in `.npz` files.

Arrays of files are memory-mapped: only the sequences that are asked for are read. `Stamp` and
`take` protect a mapped file that another program changes meanwhile. The checks that every array of
frames has to pass are here, too.

A `.npz` file is a ZIP archive of `.npy` files. An uncompressed one lies in the archive as it is, so
that it can be mapped; a compressed one is read as a whole.
"""

import contextlib
import dataclasses
import functools
import math
import os
import zipfile
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from absl import logging

from mim_tf.data.source import Indices, SequenceSource
from mim_tf.errors import MimError
from mim_tf.storage.paths import opened

CHUNK_VALUES = 2**22
"""Values that are checked at a time, to limit memory."""
LARGEST_DEFLATE_RATIO = 1032
"""Deflate cannot compress any content further than this."""
MOST_COLOURS = 4
MASKS = "%s: expected levels 0..255, got 0 and 1, at most 0.004 in frames. Multiply them by 255."
"""Warning, with the name of a file."""
_MOST_CHANNELS = 16
"""More channels are less likely than columns of frames whose channels come before the rows."""
_BLOCK_BYTES = 2**16
_FEWEST, _COMPARED = 4, 8
"""Least and largest number of sequences, and of frames, by which the axis of time is found."""
_SIDE = 32
"""Rows and columns that are compared, at most."""
_CALMER = 0.85
"""Share of the usual change below which an axis is likelier to be time; Moving MNIST has 0.7."""


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
        with contextlib.suppress(FileNotFoundError):
            if Stamp.of(self.path) != self:
                raise MimError(f"{self.path} was changed while it was in use. Start again.")


class MappedArray(np.memmap):
    """A `numpy.memmap` of an open file that carries the file's stamp; read it with `take`."""

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
    """Sequences of one array `[N, T, H, W]` or `[N, T, H, W, C]`, uint8 or float in [0, 1].

    Nothing is copied before a sequence is asked for. Sequences are cut to their first
    `total_length` frames. `name` is the file or other origin, for messages and `describe`.
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


def open_npy(path: str | Path, swap: bool = True) -> np.ndarray:
    """Map a `.npy` file as `[N, T, ...]`, or whatever else it holds.

    With `swap`, `[T, N, H, W]` becomes `[N, T, H, W]` if the file looks like `mnist_test_seq.npy`,
    uint8 `[20, more than 20, 64, 64]`, and does not change much less along its second axis.
    """
    with opened(path, "a .npy file", " written by numpy.save without pickling") as file:
        shape, order, dtype = read_header(file)
        if dtype.hasobject:
            raise ValueError("it holds pickled Python objects, which are never loaded")
        expected, size = file.tell() + math.prod(shape) * dtype.itemsize, os.path.getsize(path)
        if expected != size:
            raise ValueError(f"its header declares {expected} bytes, it has {size}")
        array = MappedArray(file, dtype, "r", file.tell(), shape, order)
    is_like = array.dtype == np.uint8 and array.ndim == 4 and array.shape[2:] == (64, 64)
    is_like = is_like and 20 == len(array) < array.shape[1]
    return array.swapaxes(0, 1) if swap and is_like and not _is_calmer(array, 1) else array


def read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], Literal["C", "F"], np.dtype]:
    """Return shape, order and dtype of a `.npy` stream; use it within `opened`."""
    formats = np.lib.format
    readers = {(1, 0): formats.read_array_header_1_0, (2, 0): formats.read_array_header_2_0}
    shape, fortran, dtype = readers[formats.read_magic(stream)](stream)
    if min(shape, default=0) < 0:
        raise ValueError(f"shape {shape}")
    return shape, "F" if fortran else "C", dtype


def from_levels(levels: np.ndarray) -> np.ndarray:
    """Return levels 0..255, uint8, or 0..65535, uint16, as float32 in [0, 1]."""
    return np.divide(levels, np.float32(np.iinfo(levels.dtype).max), dtype=np.float32)


def to_float32(values: np.ndarray) -> np.ndarray:
    """Return uint8 levels as float32 in [0, 1], and floats as float32."""
    return from_levels(values) if values.dtype == np.uint8 else values.astype(np.float32)


def check_array(array: np.ndarray, name: str | Path, layouts: dict[int, str]) -> None:
    """Raise `MimError` for an array that cannot be frames.

    It is empty, of another rank, neither uint8 nor float, masked, or has its channels elsewhere.
    `layouts` maps the possible numbers of axes to the axes, such as `{4: "[N, T, H, W]"}`.
    """
    is_number = array.dtype == np.uint8 or array.dtype.kind == "f"
    if array.ndim not in layouts or 0 in array.shape or not is_number:
        expected, remedy = " or ".join(layouts.values()), ""
        if array.ndim not in layouts and array.ndim + 1 in layouts:
            remedy = " Save array[None], which adds the first axis."
        elif array.ndim in layouts and array.dtype.kind in "biu":
            remedy = " Save array.astype('float32')."
            if array.dtype.kind != "b":
                remedy = " Save levels 0..255 as uint8, else array.astype('float32')."
        raise MimError(
            f"{name}: Expected {expected}, uint8 or floats, got {array.dtype} {list(array.shape)}."
            f"{remedy}"
        )
    if np.ma.is_masked(array):
        raise MimError(f"{name}: Expected an array without a mask, got masked values: fill them.")
    if array.ndim == 5 or layouts.get(array.ndim) == "[N, T, H, W]":
        check_channels_last(array.shape, name)
    elif array.ndim == 3:
        _warn_of_time(array.shape, name)


def check_channels_last(shape: tuple[int, ...], name: str | Path) -> None:
    """Raise `MimError` for `[N, T, C, H, W]` or `[N, C, T, H, W]`, and for `[T, H, W, C]`.

    Four axes should be `[N, T, H, W]`. If they may be `[N, H, W, T]`, log a warning.
    """
    if len(shape) == 4 and shape[-1] <= MOST_COLOURS < min(shape[1:3]):
        raise MimError(
            f"{name}: Expected [N, T, H, W] or [N, T, H, W, C], got {list(shape)}, frames of "
            f"{shape[-1]} columns. If its axes are [T, H, W, C], save array[None]."
        )
    _warn_of_time(shape[1:4], name)
    if len(shape) == 4:
        return
    is_before_time = shape[1] <= MOST_COLOURS < min(shape[2:]) and shape[-1] == shape[-2]
    if is_before_time or are_channels_first(shape):
        place, found = (1, "[N, C, T, H, W]") if is_before_time else (2, "[N, T, C, H, W]")
        raise MimError(
            f"{name}: Expected the channels on the last axis, [N, T, H, W, C], got {list(shape)}, "
            f"{found} with C = {shape[place]} before the rows. "
            f"Save np.moveaxis(array, {place}, -1)."
        )


@functools.cache
def warn_once(message: str, *values: Any) -> None:
    """Log a warning that was not logged before."""
    logging.warning(message, *values)


def _warn_of_time(shape, name):
    """Log a warning, once, if `[T, H, W]` may be `[H, W, T]`."""
    if shape[0] == shape[1] != shape[2]:
        warn_once(
            "%s: read as %d frames of %d x %d pixels (height x width). If it has %d frames, "
            "[H, W, T], move that axis before the rows by np.moveaxis.",
            *(name, *shape, shape[2]),
        )


def warn_of_order(array: np.ndarray, name: str | Path) -> None:
    """Log a warning, once, if the sequences of `[N, T, ...]` may be the frames of `[T, N, ...]`.

    Levels 0 and 1 in the first of them log one, too.
    """
    if array.dtype == np.uint8 and take(array, (slice(_COMPARED), slice(_COMPARED))).max() == 1:
        warn_once(MASKS, name)
    if _is_calmer(array, 0):
        warn_once(
            "%s: read as %d sequences of %d frames, [N, T, ...], but one sequence is more like the "
            "next than one frame. If its axes are [T, N, ...], save array.swapaxes(0, 1).",
            *(name, *array.shape[:2]),
        )


def _is_calmer(array, axis):
    """Return whether an array changes much less along `axis`, 0 or 1, than along the other."""
    rows, columns = (slice(None, None, -(-side // _SIDE)) for side in array.shape[2:4])
    some = take(array, (slice(_COMPARED), slice(_COMPARED), rows, columns))
    if min(some.shape[:2]) < _FEWEST:
        return False
    with np.errstate(all="ignore"):  # Where NaN and infinity are wrong, they are rejected later.
        steps = (np.diff(to_float32(some), axis=each) for each in (axis, 1 - axis))
        ours, others = (np.nan_to_num(np.abs(step)).mean() for step in steps)
    return bool(ours < _CALMER * others)


def warn_of_channels(shape: tuple[int, ...], name: str | Path, remedy: str) -> None:
    """Log a warning, once, if `[N, T, H, W]` may be the frames `[T, C, H, W]` of one video."""
    if shape[1] in (1, 3):
        warn_once(
            "%s: read as %d sequences of %d frame%s, [N, T, H, W]. If its axes are [T, C, H, W], "
            "save %s.",
            *(name, *shape[:2], "" if shape[1] == 1 else "s", remedy),
        )


def are_channels_first(shape: tuple[int, ...]) -> bool:
    """Return whether frames of `shape` `[..., C, H, W]` have few channels, and many as [..., C]."""
    *_, channels, height, width = shape
    is_wide = width > _MOST_CHANNELS or width == height
    return channels <= MOST_COLOURS < min(height, width) and is_wide


def check_length(name: str, received: int, total_length: int) -> None:
    """Raise `MimError` if sequences of `received` frames are shorter than `total_length`."""
    if received < total_length:
        raise MimError(
            f"{name}: Expected at least --total_length={total_length} frames, got {received}."
        )


def check_interval(values: np.ndarray, name: str, axes: tuple[str, ...], low: float = 0) -> None:
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
            f"{name}: Expected values in [{low}, 1], got {value} in {place}. Scale them, or save "
            "levels 0..255 as uint8; replace missing values."
        )


def open_frames(path: Path, check: bool = True, swap: bool = True) -> np.ndarray:
    """Open the array of a `.npy` file (as `open_npy`) or the main array of a `.npz` file."""
    if path.suffix.lower() == ".npz":
        return read_member(path, main_key(path), check=check)
    return open_npy(path, swap)


def member_keys(path: str | Path) -> list[str]:
    """Return the names of the arrays in a `.npz` file."""
    with _opened(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]


def main_key(path: str | Path) -> str:
    """Return the name of the only array of a `.npz` file, or of `frames` or `data`."""
    keys = member_keys(path)
    chosen = keys if len(keys) == 1 else [key for key in ("frames", "data") if key in keys]
    if len(chosen) != 1:
        got = ", ".join(keys) or "none"
        raise MimError(
            f"{path}: Expected one array, or one named frames or data, got {got}. Save it alone."
        )
    return chosen[0]


def read_member(
    path: str | Path, key: str, kinds: str = "", rank: int = 0, check: bool = True
) -> np.ndarray:
    """Read an array of a `.npz` file, or map it if it is not compressed.

    `kinds` are NumPy's kinds that the dtype may have, such as "iu", and `rank` the number of axes;
    without them both are free. With `check`, a mapped array is compared with its checksum
    (CRC-32), which reads it once in this process; a compressed array always is. Pickles are never
    loaded, and sizes are checked before memory is allocated.
    """
    with _member(path, key, kinds, rank) as (archive, info, start, shape, order, dtype):
        if info.compress_type == zipfile.ZIP_STORED and 0 not in shape and dtype.itemsize:
            if check:
                _check_crc(Stamp.of(path), key)
            return MappedArray(archive.fp, dtype, "r", start, shape, order)
        with archive.open(info) as stream:
            return np.lib.format.read_array(stream, allow_pickle=False)


def member_shape(path: str | Path, key: str, kinds: str = "", rank: int = 0) -> tuple[int, ...]:
    """Return the shape of an array from its header; arguments as for `read_member`."""
    with _member(path, key, kinds, rank) as (_, _, _, shape, _, _):
        return shape


@contextlib.contextmanager
def _opened(path) -> Iterator[zipfile.ZipFile]:
    with opened(path, "a .npz file", " written by numpy.savez") as file, zipfile.ZipFile(file) as z:
        names = [name.removesuffix(".npy") for name in z.namelist()]
        if len(set(names)) < len(names):
            raise ValueError("it has two arrays of one name")
        yield z


@contextlib.contextmanager
def _member(path, key, kinds, rank):
    """Yield (archive, its entry, place of stored values, shape, order, dtype) of an array."""
    with _opened(path) as archive:
        if f"{key}.npy" not in archive.namelist():
            raise MimError(
                f"{path}: expected an array named {key}, got {', '.join(archive.namelist())}. For "
                "arrays of your own give --dataset=array."
            )
        info = archive.getinfo(f"{key}.npy")
        with archive.open(info) as stream:
            place = archive.fp.tell()  # behind the local header, which alone was read
            shape, order, dtype = read_header(stream)
            header = stream.tell()
        if dtype.hasobject:
            raise ValueError(f"{key} has pickled Python objects, which are never loaded")
        if kinds and (dtype.kind not in kinds or len(shape) != rank):
            raise ValueError(
                f"{key} has {rank} axes and a dtype of kind {kinds}, not {dtype}{shape}"
            )
        _check_size(path, info, header + math.prod(shape) * dtype.itemsize)
        yield archive, info, place + header, shape, order, dtype


@functools.cache
def _check_crc(stamp, key):
    """Raise `MimError` if a member does not match its checksum; cached by the file's stamp."""
    with _opened(stamp.path) as archive, archive.open(f"{key}.npy") as stream:
        # zipfile compares the checksum at the end of the member.
        while stream.read(_BLOCK_BYTES):
            pass


def _check_size(path, info, declared):
    """Raise `ValueError` if the file cannot hold the `declared` bytes of a member."""
    ratios = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: LARGEST_DEFLATE_RATIO}
    if info.compress_type not in ratios:
        raise ValueError(f"{info.filename} is neither stored nor deflated")
    possible = info.compress_size * ratios[info.compress_type]
    in_file = info.header_offset + info.compress_size <= os.path.getsize(path)
    if declared != info.file_size or declared > possible or not in_file:
        raise ValueError(f"{info.filename} does not have the {declared} bytes that it declares")
