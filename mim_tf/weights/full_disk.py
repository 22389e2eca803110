"""HDF5 files where a disk can be full.

HDF5 ends the process with a signal where a disk becomes full while it writes.
"""

import contextlib
import io
import math
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from os import PathLike
from pathlib import Path

import h5py
import keras

_MEMORY = "/dev/shm"
_PREFIX = ".mim_tf-writing-"
_ORPHAN_SECONDS = 600
"""Writing to memory takes seconds."""

_PER_VARIABLE = 4096
"""Bytes that HDF5 needs for a variable beside its values, and more than it does."""


@contextlib.contextmanager
def saved_by_keras(model: keras.Model, folder: str | PathLike | None = None) -> Iterator[h5py.File]:
    """Yields what `model.save_weights` writes.

    Keras writes to paths only: in memory, if the system has a folder there, or else on a disk that
    has room for all of it before it starts.

    Args:
        model: to be saved.
        folder: on that disk; by default one of the system.

    Raises:
        OSError: if there is no room.
    """
    size = _largest_size(model)
    _remove_orphans(_MEMORY)
    try:
        _check_room(_MEMORY, size)
        folder = _MEMORY
    except OSError:  # not on Linux, or too small, as in many containers
        _check_room(folder or tempfile.gettempdir(), size)
    prefix = _PREFIX if folder == _MEMORY else ".writing-"
    with tempfile.TemporaryDirectory(dir=folder, prefix=prefix) as parent:
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
    return sum(
        _PER_VARIABLE + (8 if v.dtype == "float64" else 4) * math.prod(v.shape) for v in variables
    )


def _remove_orphans(folder: str) -> None:
    """Removes what processes that were killed left in memory, some time ago."""
    for path in Path(folder).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _ORPHAN_SECONDS:
                shutil.rmtree(path)


def _check_room(folder: str | PathLike, size: int) -> None:
    with tempfile.TemporaryFile(dir=os.fspath(folder)) as file:
        if hasattr(os, "posix_fallocate"):  # not on macOS
            os.posix_fallocate(file.fileno(), 0, size)
