"""HDF5 files that a user names, checked for damage that would hang the library."""

import contextlib
import os
import struct
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

import h5py

from mim_tf.errors import MimError
from mim_tf.storage.paths import REMEDY, open_file, opened

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
            yield content


def check_hdf5(path: str | Path) -> None:
    """Raise `MimError` for a file that HDF5 would read for ever."""
    with open_file(path) as file:
        _check_heaps(file, path)


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
