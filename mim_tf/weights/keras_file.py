"""Models in `.keras` files: ZIP archives of a configuration and weights, read defensively."""

import contextlib
import dataclasses
import json
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mim_tf.config import ModelConfig
from mim_tf.config.stored import from_json
from mim_tf.errors import MimError
from mim_tf.models.machine import POLICIES
from mim_tf.storage.paths import opened
from mim_tf.weights.hdf5 import StoredWeights, read_hdf5

ZIP = b"PK\3\4"
"""First bytes of a `.keras` file."""

_CONFIGURATION = "config.json"
_WEIGHTS = "model.weights.h5"
_CLASS = "mim_tf>VideoPredictor"
_PART_BYTES = 2**20
"""Bytes read at a time, and the most that a configuration may have."""

_MAX_EXPANSION = 100


def read_keras_file(path: Path) -> StoredWeights:
    """Read a `.keras` file, a ZIP archive of a configuration and weights.

    Raises:
        MimError: if the file is corrupted, of a later version, or holds another kind of model.
    """
    config, policy = _configuration(path)
    with tempfile.TemporaryDirectory() as folder:
        inside = Path(folder) / path.name
        with inside.open("wb") as target:
            target.writelines(_parts(path, _WEIGHTS))
        try:
            stored = read_hdf5(inside, config, policy)
        except MimError as error:
            raise MimError(str(error).replace(str(inside), str(path))) from None
    return dataclasses.replace(stored, path=path)


def _configuration(path: Path) -> tuple[ModelConfig, str]:
    """Return the configuration and the name of the policy of the model in a `.keras` file."""
    text = next(_parts(path, _CONFIGURATION), b"")
    try:
        content = json.loads(text)
        kind = str(content["registered_name"] or content["class_name"])
        if kind == _CLASS:
            settings = {k: _plain(v) for k, v in content["config"]["config"].items()}
            policy = content["config"].get("dtype")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise MimError(f"{path} is corrupted: its configuration cannot be read.") from None
    if kind != _CLASS:
        raise MimError(f"{path} must hold a VideoPredictor of mim_tf, got a {kind} of Keras.")
    with contextlib.suppress(TypeError, KeyError):  # a name, or a policy as Keras writes it
        policy = policy if isinstance(policy, str) else policy["config"]["name"]
    if policy not in POLICIES:
        raise MimError(
            f"{path} is corrupted: expected one of {', '.join(POLICIES)} as its policy, got "
            f"{policy!r}."
        )
    # The file has the version of Keras only. The name is used where settings are unknown.
    version = "of a later version"
    return from_json(path, json.dumps({"version": version, "model": settings})), policy


def _plain(value: Any) -> object:
    """Return a value of a configuration; Keras writes tuples as objects."""
    is_tuple = isinstance(value, dict) and value.get("class_name") == "__tuple__"
    return value["items"] if is_tuple else value


def _parts(path: Path, name: str) -> Iterator[bytes]:
    """Yield a member of the archive in parts of `_PART_BYTES`.

    Errors of the consumer, such as a full disk, are not reported as a corrupted archive.
    """
    with opened(path, "a model that Keras saved", form="ZIP") as file:
        archive = zipfile.ZipFile(file)
        if name not in archive.namelist():
            raise MimError(
                f"{path} is a ZIP archive, but not a model that Keras saved: expected {name} in it."
            )
        member = archive.getinfo(name)
        if member.file_size > _MAX_EXPANSION * max(member.compress_size, 1):
            raise MimError(
                f"{path} is corrupted: its {name} would grow from {member.compress_size} to "
                f"{member.file_size} bytes."
            )
        with archive.open(member) as content:
            while part := content.read(_PART_BYTES):
                yield part
