"""Arrays in `.npz` files: checked before memory is allocated, memory-mapped if possible.

A `.npz` file is a ZIP archive of `.npy` files. An uncompressed one lies in the archive as it is, so
that it can be mapped; a compressed one is read as a whole.
"""

import contextlib
import functools
import math
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mim_tf.data.files.arrays import MappedArray, Stamp, open_array, read_header
from mim_tf.errors import MimError
from mim_tf.storage.paths import open_file, opened

LARGEST_DEFLATE_RATIO = 1032
"""Deflate cannot compress any content further than this."""

MAIN_KEYS = ("frames", "data")
_BLOCK_BYTES = 2**16
_KINDS = {"iu": "integers", "f": "floats", "u": "unsigned integers"}


def open_frames(path: Path, check: bool = True, time_first: bool | None = None) -> np.ndarray:
    """Open the array of a `.npy` file (as `open_array`) or the main array of a `.npz` file."""
    if path.suffix.lower() == ".npz":
        return read_member(path, main_key(path), check=check)
    return open_array(path, time_first)


def member_keys(path: str | Path) -> list[str]:
    """Return the names of the arrays in a `.npz` file."""
    with _opened(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]


def main_key(path: str | Path) -> str:
    """Return the name of the only array of a `.npz` file, or of `frames` or `data`."""
    keys = member_keys(path)
    chosen = keys if len(keys) == 1 else [key for key in MAIN_KEYS if key in keys]
    if len(chosen) != 1:
        raise MimError(
            f"{path}: Expected one array, or one named {' or '.join(MAIN_KEYS)}, got "
            f"{', '.join(keys) or 'none'}. Save the frames alone."
        )
    return chosen[0]


def read_member(
    path: str | Path, key: str, kinds: str = "", rank: int = 0, check: bool = True
) -> np.ndarray:
    """Read an array of a `.npz` file, or map it if it is not compressed.

    Args:
        path: the file.
        key: name of the array.
        kinds: NumPy kinds the dtype may have, such as "iu"; "": any dtype and rank.
        rank: number of axes.
        check: whether a mapped array is compared with its checksum (CRC-32), which reads it once
            in this process. A compressed array is always checked.

    Pickles are never loaded, and sizes are checked before memory is allocated.
    """
    with _member(path, key, kinds, rank) as (archive, info, start, shape, order, dtype):
        if info.compress_type == zipfile.ZIP_STORED and 0 not in shape and dtype.itemsize:
            if check:
                _check_crc(Stamp.of(path), key)
            with open_file(path) as file:
                offset = _data_offset(file, info) + start
                return MappedArray(file, dtype, "r", offset, shape, order)
        with archive.open(info) as stream:
            return np.lib.format.read_array(stream, allow_pickle=False)


def member_shape(path: str | Path, key: str, kinds: str = "", rank: int = 0) -> tuple[int, ...]:
    """Return the shape of an array from its header; arguments and errors as for `read_member`."""
    with _member(path, key, kinds, rank) as (_, _, _, shape, _, _):
        return shape


@contextlib.contextmanager
def _opened(path) -> Iterator[zipfile.ZipFile]:
    with opened(path, "a .npz file", " written by numpy.savez") as file, zipfile.ZipFile(file) as z:
        names = [name.removesuffix(".npy") for name in z.namelist()]
        double = [name for name in names if names.count(name) > 1]
        if double:
            raise MimError(
                f"{path}: Expected each array once, got {double[0]} {names.count(double[0])} "
                "times. Save the file again."
            )
        yield z


@contextlib.contextmanager
def _member(path, key, kinds, rank):
    """Yield (archive, its entry, bytes of the `.npy` header, shape, order, dtype) of an array."""
    with _opened(path) as archive:
        info = archive.getinfo(f"{key}.npy")
        with archive.open(info) as stream:
            shape, order, dtype = read_header(stream)
            start = stream.tell()
        if dtype.hasobject:
            raise MimError(
                f"{path}: Expected {key} as numbers, got pickled Python objects, which are never "
                "loaded. Save it as an array of numbers."
            )
        if kinds and (dtype.kind not in kinds or len(shape) != rank):
            raise MimError(
                f"{path}: Expected {key} as {_KINDS[kinds]} with {rank} axes, got {dtype} "
                f"{list(shape)}. Convert it."
            )
        _check_size(path, key, info, start + math.prod(shape) * dtype.itemsize)
        yield archive, info, start, shape, order, dtype


@functools.cache
def _check_crc(stamp, key):
    """Raise `MimError` if a member does not match its checksum; cached by the file's stamp."""
    with _opened(stamp.path) as archive, archive.open(f"{key}.npy") as stream:
        # zipfile compares the checksum at the end of the member.
        while stream.read(_BLOCK_BYTES):
            pass


def _check_size(path, key, info, declared):
    """Raise `MimError` if the file cannot hold the `declared` bytes of a member."""
    ratios = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: LARGEST_DEFLATE_RATIO}
    if info.compress_type not in ratios:
        raise MimError(
            f"{path}: Expected {key} stored or deflated, got another compression. Save the file "
            "again with numpy.savez."
        )
    possible = info.compress_size * ratios[info.compress_type]
    in_file = info.header_offset + info.compress_size <= os.path.getsize(path)
    if declared != info.file_size or declared > possible or not in_file:
        raise MimError(
            f"{path}: Expected {declared} bytes of {key}, as its header declares, got a file of "
            "another size. It is truncated or corrupted; save or download it again."
        )


def _data_offset(file, info):
    """Return where the bytes of a stored member begin, behind its local header."""
    file.seek(info.header_offset)
    local = file.read(30)
    # The lengths of the name and of the extra field may differ from the archive's directory.
    name, extra = int.from_bytes(local[26:28], "little"), int.from_bytes(local[28:30], "little")
    return info.header_offset + len(local) + name + extra
