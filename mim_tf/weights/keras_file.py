"""Models in `.keras` files: ZIP archives of a configuration and weights, read with distrust."""

import contextlib
import io
import json
import math
import os
import shutil
import tempfile
import time
import zipfile
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any

import h5py
import keras

from mim_tf.config import ModelConfig
from mim_tf.config.stored import from_json
from mim_tf.errors import MimError
from mim_tf.models.machine import POLICIES
from mim_tf.storage.paths import open_file, opened

_ZIP = b"PK\3\4"
_CONFIGURATION = "config.json"
_WEIGHTS = "model.weights.h5"
_CLASS = "mim_tf>VideoPredictor"
_PART_BYTES = 2**20
"""Read at a time; the most that a configuration may have."""

_MAX_EXPANSION = 100


def is_keras_file(path: str | PathLike) -> bool:
    """Whether a ZIP archive is at `path`."""
    try:
        with open_file(Path(path), "a weights file") as file:
            return file.read(len(_ZIP)) == _ZIP
    except MimError:
        return False


def configuration_of(path: str | PathLike) -> ModelConfig:
    """The configuration of the model in a `.keras` file.

    Raises:
        MimError: if it is damaged, of a later version, or of a model of another kind.
    """
    try:
        settings = {name: _plain(value) for name, value in _settings(path)["config"].items()}
    except (TypeError, KeyError, AttributeError):
        raise _unreadable(path) from None
    version = "of a later version"  # where settings are unknown; the file has Keras' version alone
    return from_json(path, json.dumps({"version": version, "model": settings}))


def policy_of(path: str | PathLike) -> keras.DTypePolicy:
    """The policy of the model in a `.keras` file.

    Raises:
        MimError: as for `configuration_of`, or if it is none of `POLICIES`.
    """
    policy: Any = _settings(path).get("dtype")
    with contextlib.suppress(TypeError, KeyError):  # a name, or a policy as Keras writes it
        policy = policy if isinstance(policy, str) else policy["config"]["name"]
    if policy not in POLICIES:
        raise MimError(
            f"{path} is damaged: expected one of {', '.join(POLICIES)} as its policy, received "
            f"{policy!r}."
        )
    return keras.DTypePolicy(policy)


def _settings(path: str | PathLike) -> dict[str, Any]:
    """What the model in a `.keras` file was made with, as Keras writes it."""
    text = next(_parts(path, _CONFIGURATION), b"")
    try:
        content = json.loads(text)
        kind = str(content["registered_name"] or content["class_name"])
        settings = dict(content["config"]) if kind == _CLASS else {}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise _unreadable(path) from None
    if kind != _CLASS:
        raise MimError(f"{path} must hold a VideoPredictor of mim_tf, received a {kind} of Keras.")
    return settings


def _unreadable(path: str | PathLike) -> MimError:
    return MimError(f"{path} is damaged: its configuration cannot be read.")


def _plain(value: object) -> object:
    """A value of a configuration from how Keras writes it."""
    is_tuple = isinstance(value, dict) and value.get("class_name") == "__tuple__"
    return value["items"] if is_tuple else value  # type: ignore[index]


@contextlib.contextmanager
def weights_inside(path: str | PathLike) -> Iterator[Path]:
    """The weights file in a `.keras` file, as a file of its own; errors name `path`."""
    with tempfile.TemporaryDirectory() as folder:
        inside = Path(folder) / Path(path).name
        with inside.open("wb") as target:
            target.writelines(_parts(path, _WEIGHTS))
        try:
            yield inside
        except MimError as error:
            raise MimError(str(error).replace(str(inside), str(path))) from None


def _parts(path: str | PathLike, name: str) -> Iterator[bytes]:
    """A file in the archive, in parts of `_PART_BYTES`; what is done with them is not its fault."""
    with opened(Path(path), "a model that Keras saved", form="ZIP") as file:
        archive = zipfile.ZipFile(file)
        if name not in archive.namelist():
            raise MimError(
                f"{path} is a ZIP archive, but not a model that Keras saved: expected {name} in it."
            )
        member = archive.getinfo(name)
        if member.file_size > _MAX_EXPANSION * max(member.compress_size, 1):
            raise MimError(
                f"{path} is damaged: its {name} would grow from {member.compress_size} to "
                f"{member.file_size} bytes."
            )
        with archive.open(member) as content:
            while part := content.read(_PART_BYTES):
                yield part


# MERGED: HDF5 files where a disk can be full.
#
# HDF5 ends the process with a signal where a disk becomes full while it writes.


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
