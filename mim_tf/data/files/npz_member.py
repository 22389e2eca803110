"""Arrays in a `.npz` file, one at a time, memory-mapped if possible."""

import contextlib
import functools
import math
import os
import zipfile
from pathlib import Path

import numpy as np

from mim_tf.data.files.arrays import Stamp, map_array, read_header
from mim_tf.errors import MimError
from mim_tf.storage.paths import open_file, opened

# Deflate cannot shrink anything further than this.
LARGEST_DEFLATE_RATIO = 1032
CHUNK_BYTES = 2**24
_CRC_BYTES = 2**16
MAIN_KEYS = ("frames", "data")


def member_keys(path: str | Path) -> list[str]:
    """Names of the arrays in a `.npz` file; `MimError` if it is none."""
    with _opened(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]


def main_key(path: str | Path) -> str:
    """Name of the only array of a `.npz` file, or of the one called `frames` or `data`.

    Raises `MimError` if none, or more than one, can be meant.
    """
    keys = member_keys(path)
    chosen = keys if len(keys) == 1 else [key for key in MAIN_KEYS if key in keys]
    if len(chosen) != 1:
        raise MimError(
            f"{path}: expected one array, or one that is called {' or '.join(MAIN_KEYS)}, found "
            f"{', '.join(keys) or 'none'}. Save the frames alone."
        )
    return chosen[0]


def read_member(
    path: str | Path,
    key: str,
    kinds: str | None = None,
    rank: int | None = None,
    check: bool = True,
) -> np.ndarray:
    """One array of a `.npz` file, memory-mapped if it is stored uncompressed.

    Args:
        path: of the file.
        key: name of the array.
        kinds: NumPy kinds the dtype may have, such as "iu"; None: any.
        rank: number of axes; None: any.
        check: whether the content is compared with its checksum (CRC-32) where it stays in the
            file, which reads it once in this process; what is decompressed always is.

    Raises `MimError` for another dtype or rank, pickles, which are never loaded, and a declared
    size that the content cannot have, before memory is taken for it.
    """
    with _member(path, key, kinds, rank) as (info, stream, shape, order, dtype):
        content = math.prod(shape) * dtype.itemsize
        if info.compress_type == zipfile.ZIP_STORED and content:
            if check:
                _check_crc(Stamp.of(path), key)
            with open_file(path) as file:
                offset = _data_offset(file, info) + stream.tell()
                return map_array(file, dtype, offset, shape, order)
        flat = np.empty(content, np.uint8)
        for start in range(0, content, CHUNK_BYTES):
            part = flat[start : start + CHUNK_BYTES]
            block = stream.read(len(part))
            if len(block) < len(part):
                raise EOFError(f"{key} ends early")
            part[:] = np.frombuffer(block, np.uint8)
        return flat.view(dtype).reshape(shape, order=order)


def member_shape(
    path: str | Path, key: str, kinds: str | None = None, rank: int | None = None
) -> tuple[int, ...]:
    """The shape of an array, from its header alone. Arguments and errors as for `read_member`."""
    with _member(path, key, kinds, rank) as (_, _, shape, _, _):
        return shape


@contextlib.contextmanager
def _opened(path):
    """The archive, in which no two members have one name."""
    with opened(path, "a .npz file", " written by numpy.savez") as file, zipfile.ZipFile(file) as z:
        names = [name.removesuffix(".npy") for name in z.namelist()]
        double = [name for name in names if names.count(name) > 1]
        if double:
            raise MimError(
                f"{path}: expected each array once, found {double[0]} {names.count(double[0])} "
                "times. Save the file again."
            )
        yield z


@contextlib.contextmanager
def _member(path, key, kinds, rank):
    """(entry of the archive, stream after the header, shape, order, dtype) of an array."""
    with _opened(path) as archive:
        info = archive.getinfo(f"{key}.npy")
        with archive.open(info) as stream:
            shape, order, dtype = read_header(stream)
            if dtype.hasobject:
                raise MimError(
                    f"{path}: {key} holds pickled Python objects, which are never loaded. Save "
                    "it as an array of numbers."
                )
            if kinds and (dtype.kind not in kinds or len(shape) != rank):
                wanted = {"iu": "integers", "f": "floats", "u": "unsigned integers"}[kinds]
                raise MimError(
                    f"{path}: expected {key} as {wanted} with {rank} axes, received {dtype} with "
                    f"shape {list(shape)}. Convert it."
                )
            _check_size(path, key, info, stream.tell() + math.prod(shape) * dtype.itemsize)
            yield info, stream, shape, order, dtype


@functools.cache
def _check_crc(stamp, key):
    """Raises `MimError` if a member is not what its checksum says; remembered by the stamp."""
    with _opened(stamp.path) as archive, archive.open(f"{key}.npy") as stream:
        # zipfile compares the checksum when it comes to the end.
        while stream.read(_CRC_BYTES):
            pass


def _check_size(path, key, info, declared):
    """Raises `MimError` if the file cannot hold the `declared` bytes of member `info`."""
    if info.compress_type == zipfile.ZIP_STORED:
        possible = info.compress_size
    elif info.compress_type == zipfile.ZIP_DEFLATED:
        possible = info.compress_size * LARGEST_DEFLATE_RATIO
    else:
        raise MimError(
            f"{path}: expected {key} stored or deflated, received another compression. Save the "
            "file again with numpy.savez."
        )
    in_file = info.header_offset + info.compress_size <= os.path.getsize(path)
    if declared != info.file_size or declared > possible or not in_file:
        raise MimError(
            f"{path}: {key} declares {declared} bytes, but the file's content is not of that "
            "size. It is truncated or damaged; save or download it again."
        )


def _data_offset(file, info):
    """Where the bytes of a stored member begin."""
    file.seek(info.header_offset)
    local = file.read(30)
    # The lengths of the name and of the extra field; the directory's may differ.
    name, extra = int.from_bytes(local[26:28], "little"), int.from_bytes(local[28:30], "little")
    return info.header_offset + len(local) + name + extra
