"""Files of fields that others made, checked before a library opens them: HDF5, Zarr and GRIB.

The libraries trust what a file declares. HDF5 follows references into other files, Zarr runs the
codecs that a store names, and eccodes ends the process for damaged messages.
"""

import contextlib
import json
import math
import mmap
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mim_tf.errors import MimError
from mim_tf.storage.paths import REMEDY, open_file, opened, read_text, walk

_MOST_BYTES = 2**30
"""Largest chunk, and largest array of one axis. A file of few bytes can declare any size."""


def _check_size(name: str, shape, chunk, itemsize: int) -> None:
    """Raise `MimError` for what a library would allocate at once, before it decompresses it.

    An array of one axis, such as times, is read as a whole, others chunk by chunk (empty: none).
    """
    if math.prod(shape) and 0 in chunk:
        raise MimError(f"{name}: expected chunks that are not empty, got {tuple(chunk)}.")
    size = itemsize * max(math.prod(chunk), math.prod(shape) if len(shape) < 2 else 0)
    if size > _MOST_BYTES:
        raise MimError(
            f"{name}: expected chunks, and arrays of one axis, of at most {_MOST_BYTES / 2**30:g} "
            f"GiB, got {size / 2**30:.1f} GiB. Write the file again with smaller chunks."
        )


# HDF5.

_END = 4 * 2**20
"""Bytes checked at each end of a file, where writers put indices; data lies between them."""

_MAGIC = b"GCOL\1\0\0\0"
_HEADER = 16  # bytes in the header of a global heap, and of each object in it


@contextlib.contextmanager
def opened_hdf5(path: str | Path, kind: str, remedy: str = REMEDY) -> Iterator[h5py.File]:
    """Open an HDF5 file to read, and turn any error into a `MimError`, as `opened` does."""
    with opened(path, kind, form="HDF5", remedy=remedy) as file:
        _check_heaps(file, path)
        with h5py.File(path) as content:
            _check_own(path, content)
            yield content


def check_hdf5(path: str | Path) -> None:
    """Raise `MimError` for a file that HDF5 would read for ever, or that names other files.

    Errors of HDF5 itself are raised as they are.
    """
    with open_file(path) as file:
        _check_heaps(file, path)
    with h5py.File(path) as content:
        _check_own(path, content)


def _check_own(path: str | Path, content: h5py.File) -> None:
    # Values in other files could be of any file that this user may read.
    def link(name, found):
        return name if isinstance(found, h5py.ExternalLink) else None

    def values(name, item):
        if not isinstance(item, h5py.Dataset):
            return None
        _check_size(f"{path}: {name}", item.shape or (), item.chunks or (), item.dtype.itemsize)
        return name if item.external or item.is_virtual else None

    name = content.visititems_links(link) or content.visititems(values)
    if name:
        raise MimError(f"{path}: expected all values in this file, got {name} in another file.")


def _check_heaps(file: BufferedReader, path: str | Path) -> None:
    # HDF5 1.14 walks a global heap, which holds strings and references of variable length, from
    # object to object. An object of zeros makes it loop for ever. Heaps in the middle of a large
    # file are not checked.
    size = file.seek(0, os.SEEK_END)
    for start in {0, max(size - _END, 0)}:
        file.seek(start)
        heaps = [_MAGIC + heap for heap in file.read(_END).split(_MAGIC)[1:]]
        if any(map(_never_ends, heaps)):
            raise MimError(f"{path}: expected HDF5, got zeros instead of an index.")


def _never_ends(heap):
    """Return whether a step from one object of a heap to the next is 0 (HDF5 format, III.E)."""
    end = min(int.from_bytes(heap[8:_HEADER], "little"), len(heap))
    place = _HEADER
    while place + _HEADER <= end:
        index, size = struct.unpack_from("<H6xQ", heap, place)
        if index == size == 0:
            return True
        place += _HEADER + -(-size // 8) * 8 if index else size
    return False


# Zarr.

_METADATA = ("zarr.json", ".zarray", ".zmetadata")
_OF_CODECS = ("filters", "compressor", "codecs", "index_codecs")
_CODECS = {
    *("blosc", "zstd", "lz4", "zlib", "gzip", "bz2", "lzma", "shuffle", "delta", "quantize"),
    *("fixedscaleoffset", "bitround", "astype", "packbits", "categorize", "base64"),
    *("crc32", "crc32c", "adler32", "fletcher32", "jenkins_lookup3"),
    *("vlen-utf8", "vlen-bytes", "vlen-array", "bytes", "transpose", "sharding_indexed"),
}
"""Codecs that only transform numbers and texts; pickle and json2 make objects."""


def check_zarr(path: Path) -> None:
    """Raise `MimError` for a store with other codecs, or with anything but regular files.

    Zarr would run what the codec pickle finds, and never finish to read a named pipe or a device.
    """
    for folder, names in walk(path, "a Zarr store"):
        for name in names:
            if not os.path.isfile(folder / name):
                raise MimError(f"{folder / name}: expected a regular file of a Zarr store.")
            if name not in _METADATA:
                continue
            try:
                found = list(_objects(json.loads(read_text(folder / name))))
            except (ValueError, RecursionError) as error:
                raise MimError(f"{folder / name}: expected JSON, got {error}.") from None
            used = set()
            for metadata, is_codec in found:
                if is_codec:
                    codec = str(metadata.get("id", metadata.get("name")))
                    used.add(codec.removeprefix("numcodecs."))
                elif isinstance(metadata.get("shape"), list):
                    try:
                        sizes = _size(metadata)
                    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
                        continue  # Zarr itself says what is wrong in the metadata.
                    _check_size(str(folder / name), *sizes)
            if wrong := sorted(used - _CODECS):
                raise MimError(
                    f"{folder / name}: expected codecs that only transform numbers, got "
                    f"{', '.join(wrong)}. Write the store again without it."
                )


def _objects(metadata: Any, is_codec: bool = False) -> Iterator[tuple[dict, bool]]:
    """Yield the objects in the metadata of Zarr 2 and 3, and whether each is that of a codec."""
    if isinstance(metadata, list):
        for each in metadata:
            yield from _objects(each, is_codec)
    elif isinstance(metadata, dict):
        yield metadata, is_codec
        for key, value in metadata.items():
            if key not in ("attributes", ".zattrs") and not key.endswith("/.zattrs"):
                yield from _objects(value, key in _OF_CODECS)


def _size(array: dict) -> tuple[list[int], list[int], int]:
    """Return the shape, the shape of a chunk and the bytes of a value of a Zarr array."""
    chunk = array.get("chunks") or array["chunk_grid"]["configuration"]["chunk_shape"]
    for codec in array.get("codecs") or ():
        if codec["name"] == "sharding_indexed":  # a shard is read chunk by chunk
            chunk = codec["configuration"]["chunk_shape"]
    kind = array.get("dtype", array.get("data_type"))
    if isinstance(kind, dict):
        size = kind["configuration"].get("length_bytes", 1)
    elif isinstance(kind, list):
        size = np.dtype([tuple(field) for field in kind]).itemsize
    else:
        size = 1 if kind in ("string", "bytes") else np.dtype(kind).itemsize
    return [*map(int, array["shape"])], [*map(int, chunk)], int(size)


# GRIB.


def check_grib(path: Path) -> None:
    """Raise `MimError` unless every message of a GRIB file is whole: eccodes reads what is left."""
    # Mapped, because such files can be larger than the memory.
    with open_file(path) as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        place, end, count = content.find(b"GRIB"), 0, 0
        while place >= 0:
            edition = content[place + 7 : place + 8]
            start, size = (4, 3) if edition == b"\1" else (8, 8)
            length = int.from_bytes(content[place + start : place + start + size], "big")
            end, count = place + length, count + 1
            whole = length >= 16 and content[end - 4 : end] == b"7777"
            if not whole or _end_of_sections(content, place, edition) != end - 4:
                break
            place = content.find(b"GRIB", end)
        is_cut = content[max(end, len(content) - 3) :].endswith((b"G", b"GR", b"GRI"))
    if place >= 0 or is_cut:
        raise MimError(
            f"{path}: expected whole GRIB messages, got number {max(count, 1)} that is cut or "
            "damaged. Download the file again."
        )


def _end_of_sections(content, place, edition):
    """Return where the last section of a message ends.

    Each section begins with its length (WMO's Manual on Codes, FM 92). eccodes frees memory twice
    where the sections do not fill the message.
    """
    if edition == b"\1":
        place += 8
        # Octet 8 of section 1 has a bit each for sections 2 and 3. Section 4 is always there.
        for _ in range(2 + (content[place + 7] >> 6).bit_count()):
            place += int.from_bytes(content[place : place + 3], "big")
        return place
    place += 16
    while content[place : place + 4] != b"7777" and content[place + 4 : place + 5]:
        place += max(5, int.from_bytes(content[place : place + 4], "big"))
    return place


_OPEN_GRIB = """
import os, sys, warnings
import cfgrib
warnings.simplefilter("ignore")
for number, path in enumerate(sys.stdin.buffer.read().split(b"\\0")):
    print(number, flush=True)
    try:
        cfgrib.open_datasets(
            os.fsdecode(path), backend_kwargs={"indexpath": ""}, decode_timedelta=False
        )
    except Exception:
        pass  # The parent gets the same exception, and reports it.
"""


def check_grib_opens(paths: list[Path]) -> None:
    """Raise `MimError` if eccodes ends the process when it opens one of the GRIB files.

    It aborts for some damaged headers, so a process of its own opens all files first.
    """
    if not paths:
        return
    done = subprocess.run(
        [sys.executable, "-P", "-c", _OPEN_GRIB],
        input=b"\0".join(map(os.fsencode, paths)),
        capture_output=True,
    )
    if done.returncode < 0 and done.stdout:
        raise MimError(
            f"{paths[int(done.stdout.split()[-1])]}: expected GRIB messages that eccodes can open, "
            "got damaged ones. Download the file again."
        )
