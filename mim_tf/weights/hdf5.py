"""Weights in Keras' formats, `.h5` and `.keras`: written atomically, and read defensively.

HDF5 ends the process with a signal if a disk becomes full while it writes, so files are made in
memory. Keras' own loader assigns while it reads, skips what it does not know, and allocates memory
for any declared shape. Here a file is opened once and read as a whole: every value is plain, stored
in this file, and all of them together are at most as large as the file. Only then are they compared
with a model, and only if all of them fit does its first weight change.
"""

import contextlib
import dataclasses
import json
import os
import tempfile
import zipfile
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from mim_tf.config import ModelConfig
from mim_tf.config.stored import ATTRIBUTE, check_architecture, from_json, to_json
from mim_tf.errors import MimError
from mim_tf.models import VideoPredictor
from mim_tf.models.machine import POLICIES
from mim_tf.runtime.keras_private import WeightsFile
from mim_tf.storage.containers import opened_hdf5
from mim_tf.storage.files import write_bytes
from mim_tf.storage.paths import opened

Arrays = Mapping[str, np.ndarray]
Shapes = Mapping[str, tuple[int, ...]]

ZIP = b"PK\3\4"
"""First bytes of a `.keras` file, a ZIP archive of a configuration and weights."""

_CLASS = "mim_tf>VideoPredictor"
_MAX_EXPANSION = 100

# Files of version 0.1 hold the counter of scheduled sampling, which is the optimizer's now.
_COUNTER = "layers/scheduled_sampling/vars/0"
_MAX_DEPTH = 20
_MAX_CONFIGURATION_BYTES = 2**16


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
        MimError: for both, because float16 holds no squares of small gradients.
        OSError: if the file cannot be written, for example because the disk is full.
    """
    if with_optimizer and half:
        raise MimError("Expected half=True without with_optimizer=True: its state needs float32.")
    leave_out = () if with_optimizer else (getattr(model, "optimizer", None),)
    file = WeightsFile(model, half=half, leave_out=leave_out)
    write_bytes(Path(path), file.content(**{ATTRIBUTE: np.bytes_(to_json(model.config))}))


def check_finite(path: Path, weights: Arrays) -> None:
    """Raise `MimError` for the first weight that is NaN or infinite in float32."""
    for name, values in weights.items():
        with np.errstate(over="ignore"):
            finite = np.isfinite(np.asarray(values, np.float32)).all()
        if not finite:
            raise MimError(
                f"{path}: {name} has values that are NaN or infinite. Take earlier weights."
            )


@dataclasses.dataclass(frozen=True)
class StoredWeights:
    """The content of a weights file in Keras' layout.

    Attributes:
        path: of the file.
        stored: its configuration; None in a file that Keras wrote.
        weights: key in the file -> values.
        optimizer: the same for the state of the optimizer; None if there is none.
        policy: name of the policy in a `.keras` file.
        trainable: whether each layer is, in a `.keras` file.
    """

    path: Path
    stored: ModelConfig | None
    weights: Arrays
    optimizer: Arrays | None
    policy: str | None = None
    trainable: tuple[bool, ...] = ()

    def config(self, **known: Any) -> ModelConfig:
        """Return the configuration; `known` is used if the file has none."""
        return self.stored or ModelConfig(**known)

    def load(self, model: VideoPredictor) -> None:
        """Assign the weights to `model`, and the optimizer's state if both have one.

        Weights that do not fit or are not finite raise `MimError`; the model is unchanged then.
        """
        # Under the key that Keras makes of the step's class, as when it is saved.
        file = WeightsFile(model, leave_out=(getattr(model, "optimizer", None),))
        variables = {
            name: each for name, each in file.variables.items() if name.startswith("layers/")
        }
        difference = first_difference(self.weights, variables)
        if self.stored:
            check_architecture(self.path, self.stored, model.config, difference)
        if difference:
            hint = "It is corrupted: copy or download it again."
            if not self.stored:
                hint = "Files that Keras wrote have no configuration: give that of their model."
            raise MimError(f"{self.path} holds other weights than the model. {difference} {hint}")
        values = [(variable, self.weights[key]) for key, variable in variables.items()]
        if self.optimizer is not None and getattr(model, "optimizer", None) is not None:
            saved = getattr(model.optimizer, "saved_variables", model.optimizer.variables)
            state = {f"vars/{number}": variable for number, variable in enumerate(saved)}
            if difference := first_difference(self.optimizer, state):
                raise MimError(
                    f"{self.path} holds the state of another optimizer. {difference} Compile the "
                    "model as it was compiled for that file."
                )
            values += [(variable, self.optimizer[key]) for key, variable in state.items()]
        check_finite(self.path, {variable.path: array for variable, array in values})
        for variable, array in values:
            variable.assign(array)


def first_difference(arrays: Arrays, variables: Mapping[str, keras.Variable]) -> str:
    """Return a sentence on the first weight that differs; empty if there is none.

    The keys of both are the names in a file.
    """
    for key in {**variables, **arrays}:
        here = list(variables[key].shape) if key in variables else "missing"
        there = list(arrays[key].shape) if key in arrays else "missing"
        if here != there:
            if key not in variables:
                return f"The weight {key} is {there} there, missing here."
            return f"The weight {variables[key].path} is {there} there, as {key}, {here} here."
    return ""


def read_hdf5(path: Path, stored: ModelConfig | None = None) -> StoredWeights:
    """Read a weights file; `stored` is its configuration if that is known from elsewhere.

    A file that is corrupted, of a later version or of another kind raises `MimError`.
    """
    with opened_hdf5(path, "a weights file", "Copy or download it again.") as file:
        if stored is None and ATTRIBUTE in file.attrs:
            stored = from_json(path, _configuration_text(file))
        if "layers" not in file:
            raise MimError(
                f"{path}: expected weights in Keras' group 'layers', got {list(file)!s:.80}."
            )
        weights = _arrays(file["layers"], "layers")
        weights.pop(_COUNTER, None)
        optimizer = _arrays(file["optimizer/vars"], "vars") if "optimizer" in file else None
    return StoredWeights(path, stored, weights, optimizer)


def _configuration_text(file: h5py.File) -> str:
    attribute = file.attrs.get_id(ATTRIBUTE)
    is_text = isinstance(attribute.get_type(), h5py.h5t.TypeStringID) and attribute.shape == ()
    # HDF5 reads whatever type and size a corrupted file declares, and may crash.
    if not is_text or attribute.get_storage_size() > _MAX_CONFIGURATION_BYTES:
        raise MimError(f"{file.filename} is corrupted: its configuration is not text.")
    return file.attrs[ATTRIBUTE]


def _arrays(group: h5py.Group, key: str) -> dict[str, np.ndarray]:
    """Return key -> values of all data sets under `group`, whose own key is `key`."""
    path = group.file.filename
    # A hostile file may declare the same bytes many times; its size bounds what is read.
    room = os.path.getsize(path)
    arrays: dict[str, np.ndarray] = {}
    groups = [(key, group)]
    while groups:
        key, group = groups.pop()
        if key.count("/") > _MAX_DEPTH:
            raise MimError(f"{path} is corrupted: its groups have no end.")
        for name in group:
            _check_plain(path, group, name)
            child, child_key = group[name], f"{key}/{name}"
            if isinstance(child, h5py.Group):
                groups.append((child_key, child))
                continue
            room -= child.nbytes
            if room < 0:
                raise MimError(f"{path} is corrupted: {child_key} is larger than the file.")
            arrays[child_key] = child[()]
    return arrays


def _check_plain(path: str, group: h5py.Group, name: str) -> None:
    """Raise `MimError` unless a group has a group or plain numbers of this name, as with Keras."""
    found = ""
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        found = "a link"
    elif isinstance(child := group[name], h5py.Dataset):
        if child.dtype.kind not in "fiu":
            found = str(child.dtype)
        elif child.shape is None:
            found = "a data set without a shape"
        elif child.chunks or child.external or child.is_virtual:
            found = "numbers that are compressed or stored elsewhere"
        elif child.id.get_storage_size() < child.nbytes:  # HDF5 would return zeros
            found = "numbers that were never written"
    if found:
        raise MimError(
            f"{path}: expected plain numbers at {group.name}/{name}, got {found}. Save it again."
        )


def read_keras_file(path: Path) -> StoredWeights:
    """Read a `.keras` file; raise `MimError` as `read_hdf5`, and for other kinds of models."""
    config, policy, trainable = _configuration(path)
    content = _member(path, "model.weights.h5")
    with tempfile.TemporaryDirectory() as folder:
        inside = Path(folder) / path.name
        inside.write_bytes(content)
        try:
            stored = read_hdf5(inside, config)
        except MimError as error:
            raise MimError(str(error).replace(str(inside), str(path))) from None
    return dataclasses.replace(stored, path=path, policy=policy, trainable=trainable)


def _configuration(path: Path) -> tuple[ModelConfig, str, tuple[bool, ...]]:
    """Return configuration, name of the policy and trainable layers of a `.keras` file's model."""
    text = _member(path, "config.json")
    try:
        content = json.loads(text)
        kind = content["registered_name"] or content["class_name"]
        settings = dict(content["config"]["config"]) if kind == _CLASS else {}
        policy = content["config"].get("dtype")
        trainable = tuple(content["config"].get("trainable_layers") or ())
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise MimError(f"{path} is corrupted: its configuration cannot be read.") from None
    if kind != _CLASS:
        raise MimError(f"{path} must hold a VideoPredictor of mim_tf, got a {kind} of Keras.")
    for name, value in settings.items():  # Keras writes tuples as objects
        if isinstance(value, dict) and value.get("class_name") == "__tuple__":
            settings[name] = value.get("items")
    with contextlib.suppress(TypeError, KeyError):  # a name, or a policy as Keras writes it
        policy = policy if isinstance(policy, str) else policy["config"]["name"]
    if policy not in POLICIES:
        raise MimError(f"{path}: expected the policy {' or '.join(POLICIES)}, got {policy!r}.")
    # The file has the version of Keras only. The name is used where settings are unknown.
    version = "of a later version"
    config = from_json(path, json.dumps({"version": version, "model": settings}))
    return config, policy, trainable


def _member(path: Path, name: str) -> bytes:
    """Return the content of a member of the archive."""
    with opened(path, "a model that Keras saved", form="ZIP") as file:
        archive = zipfile.ZipFile(file)
        member = archive.getinfo(name)
        if member.file_size > _MAX_EXPANSION * max(member.compress_size, 1):
            raise MimError(f"{path} is corrupted: its {name} grows to {member.file_size} bytes.")
        return archive.read(member)
