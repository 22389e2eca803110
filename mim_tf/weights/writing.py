"""Weights files are written atomically, and a full disk is an `OSError` like for any other file.

HDF5 ends the process with a signal if a disk becomes full while it writes. So Keras writes to
memory, or to a disk after its room is checked; the bytes are then copied to the file.
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
import numpy as np

from mim_tf.config.stored import ATTRIBUTE, to_json
from mim_tf.models import VideoPredictor
from mim_tf.storage.paths import replaced_whole

_MEMORY = "/dev/shm"
_PREFIX = ".mim_tf-writing-"
_ORPHAN_SECONDS = 600
"""Age after which a folder in memory was left by a killed process; writing takes seconds."""

_PER_VARIABLE = 4096
"""Upper bound of the HDF5 overhead per variable, in bytes."""


def save_weights(
    model: VideoPredictor, path: str | PathLike, with_optimizer: bool = False, half: bool = False
) -> None:
    """Write the weights of `model` and its configuration atomically.

    The file is in Keras' HDF5 layout, with the configuration as an attribute.

    Args:
        model: what to save.
        path: of the file; an older file of that name stays until the new file is complete.
        with_optimizer: also save the state of the optimizer, to continue training. The file is
            then about four times as large.
        half: round the numbers to float16, for a file of half the size.

    Raises:
        OSError: if the file cannot be written, for example because the disk is full.
    """
    with replaced_whole(Path(path), ".h5") as part, written_from_memory(part) as target:
        with saved_by_keras(model, part.parent) as source:
            _copy(source, target, half, leave_out=() if with_optimizer else ("optimizer",))
        target.attrs[ATTRIBUTE] = np.bytes_(to_json(model.config))


def _copy(
    source: h5py.Group, target: h5py.Group, half: bool, leave_out: tuple[str, ...] = ()
) -> None:
    for name, child in source.items():
        if name in leave_out:
            continue
        if isinstance(child, h5py.Group):
            group = target.create_group(name)
            group.attrs.update(child.attrs)
            _copy(child, group, half)
        else:
            values = child[()]
            target[name] = np.float16(values) if half and values.dtype.kind == "f" else values


@contextlib.contextmanager
def saved_by_keras(model: keras.Model, folder: str | PathLike | None = None) -> Iterator[h5py.File]:
    """Yield the file that `model.save_weights` writes.

    Keras writes to paths only: to a folder in memory if the system has one, otherwise to a disk
    that has room for the whole file.

    Args:
        model: to be saved.
        folder: on that disk; by default a temporary folder.

    Raises:
        OSError: if there is no room.
    """
    optimizer = getattr(model, "optimizer", None)
    variables = [*model.variables, *(optimizer.variables if optimizer else [])]
    size = sum(
        _PER_VARIABLE + (8 if v.dtype == "float64" else 4) * math.prod(v.shape) for v in variables
    )
    _remove_orphans(_MEMORY)
    prefix = ".writing-"
    try:
        _check_room(_MEMORY, size)
        folder, prefix = _MEMORY, _PREFIX
    except OSError:  # not on Linux, or too small, as in many containers
        _check_room(folder or tempfile.gettempdir(), size)
    with tempfile.TemporaryDirectory(dir=folder, prefix=prefix) as parent:
        path = Path(parent) / "keras.weights.h5"
        model.save_weights(path)
        with h5py.File(path) as file:
            yield file


@contextlib.contextmanager
def written_from_memory(path: Path) -> Iterator[h5py.File]:
    """Yield an HDF5 file in memory; at the end its bytes are written to `path`.

    A full disk then raises `OSError`, as for any other file.
    """
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        yield file
    path.write_bytes(content.getbuffer())


def _remove_orphans(folder: str) -> None:
    """Delete what killed processes left in memory some time ago."""
    for path in Path(folder).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _ORPHAN_SECONDS:
                shutil.rmtree(path)


def _check_room(folder: str | PathLike, size: int) -> None:
    with tempfile.TemporaryFile(dir=os.fspath(folder)) as file:
        if hasattr(os, "posix_fallocate"):  # not on macOS
            os.posix_fallocate(file.fileno(), 0, size)
