"""HDF5 files where a disk can be full.

HDF5 ends the process with a signal where a disk becomes full while it writes.
"""

import contextlib
import io
import math
import os
import tempfile
from collections.abc import Iterator
from os import PathLike
from pathlib import Path

import h5py
import keras

_PER_VARIABLE = 4096
"""Bytes that HDF5 needs for a variable beside its values, and more than it does."""

_LARGEST_NUMBER = 4
"""Bytes: weights are float32; counters can be larger, but are single numbers."""


@contextlib.contextmanager
def saved_by_keras(model: keras.Model, folder: str | PathLike | None = None) -> Iterator[h5py.File]:
    """Yields what `model.save_weights` writes.

    Keras writes to paths only, so that there has to be room for all of it before it starts.

    Args:
        model: to be saved.
        folder: in which it is written; by default one of the system.

    Raises:
        OSError: if there is no room.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix=".writing-") as parent:
        _check_room(parent, _largest_size(model))
        path = Path(parent) / "keras.weights.h5"
        model.save_weights(path)
        with h5py.File(path) as file:
            yield file


@contextlib.contextmanager
def written_from_memory(path: Path) -> Iterator[h5py.File]:
    """Yields an HDF5 file in memory; at the end its bytes are written to `path`.

    A disk that is full is then an `OSError`, as for any other file.
    """
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        yield file
    with path.open("wb") as file:
        file.write(content.getbuffer())


def _largest_size(model: keras.Model) -> int:
    optimizer = getattr(model, "optimizer", None)
    variables = [*model.variables, *(optimizer.variables if optimizer else [])]
    return sum(_PER_VARIABLE + _LARGEST_NUMBER * math.prod(v.shape) for v in variables)


def _check_room(folder: str | PathLike, size: int) -> None:
    with tempfile.TemporaryFile(dir=folder) as file:
        if hasattr(os, "posix_fallocate"):  # not on macOS
            os.posix_fallocate(file.fileno(), 0, size)
