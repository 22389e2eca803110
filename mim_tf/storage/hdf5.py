"""HDF5 files that a user names, opened unless they would hang the library."""

import contextlib
import os
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

import h5py

from mim_tf.errors import MimError
from mim_tf.storage.paths import open_file, opened

_END = 4 * 2**20
"""Bytes looked at from each end of a file: writers put indices there, and data between."""

_MAGIC = b"GCOL\1\0\0\0"
_HEADER = 16
"""Bytes of the header of a global heap, and of each object in it."""


@contextlib.contextmanager
def opened_hdf5(
    path: str | Path, kind: str, remedy: str = "Save or download it again."
) -> Iterator[h5py.File]:
    """Opens an HDF5 file to read; whatever goes wrong while it is read becomes a `MimError`.

    Args:
        path: of the file.
        kind: what it is expected to be, such as "a weights file".
        remedy: how to mend it.
    """
    check_hdf5(path)
    with opened(path, kind, form="HDF5", remedy=remedy), h5py.File(path) as file:
        yield file


def check_hdf5(path: str | Path) -> None:
    """Raises `MimError` for a file from which HDF5 would not come back.

    HDF5 (1.14) walks a global heap, where strings and references of any length are, from object to
    object, and for ever on the spot where one of them is all zeros. Heaps over 4 MiB from both ends
    of the file are not looked at.
    """
    with open_file(path) as file:
        size = file.seek(0, os.SEEK_END)
        starts = {0, max(size - _END, 0)}
        if any(_never_ends(heap) for start in starts for heap in _heaps(file, start)):
            raise MimError(
                f"{path}: expected HDF5, received a file with zeros in the place of an index. "
                "Write or download it again."
            )


def _heaps(file: BufferedReader, start: int) -> list[bytes]:
    file.seek(start)
    return [_MAGIC + heap for heap in file.read(_END).split(_MAGIC)[1:]]


def _never_ends(heap):
    """Whether the step from one object of a heap to the next is 0 (HDF5 file format, III.E)."""
    end = min(int.from_bytes(heap[8:_HEADER], "little"), len(heap))
    place = _HEADER
    while place + _HEADER <= end:
        index = int.from_bytes(heap[place : place + 2], "little")
        size = int.from_bytes(heap[place + 8 : place + _HEADER], "little")
        if index == size == 0:
            return True
        place += _HEADER + -(-size // 8) * 8 if index else size
    return False
