"""Models in `.keras` files: ZIP archives of a configuration and weights, read with distrust."""

import contextlib
import json
import tempfile
import zipfile
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any

import keras

from mim_tf.config import ModelConfig
from mim_tf.errors import MimError
from mim_tf.given_path import open_file, opened
from mim_tf.models.configuration import from_json
from mim_tf.models.keras_settings import POLICIES

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
