"""Weights in Keras' HDF5 layout, read defensively.

Keras' own loader assigns while it reads, skips what it does not know, and allocates memory for any
declared shape. Here a file is opened once and read as a whole: every value is plain, stored in this
file, and all of them together are at most as large as the file. Only then are they compared with a
model, and only if all of them fit does its first weight change.
"""

import collections
import dataclasses
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from mim_tf.config import ARCHITECTURE_FIELDS, ModelConfig
from mim_tf.config.stored import ATTRIBUTE, from_json
from mim_tf.errors import MimError
from mim_tf.models.registry import find_network
from mim_tf.storage.hdf5 import opened_hdf5
from mim_tf.weights.writing import saved_by_keras

Arrays = Mapping[str, np.ndarray]
Shapes = Mapping[str, tuple[int, ...]]

_STEP = "layers/functional"
# Files of version 0.1 hold the counter of scheduled sampling, which is the optimizer's now.
_COUNTER = "layers/scheduled_sampling/vars/0"
_MAX_DEPTH = 20
_MAX_CONFIGURATION_BYTES = 2**16

_KEYS: dict[Any, list[str]] = {}
"""Network and its architecture -> keys of its weights in Keras' layout, see `_keys`."""


def check_settings(
    path: Path, stored: ModelConfig, model: ModelConfig, difference: str = ""
) -> None:
    """Raise `MimError` if the model of a file and the model to load into have other architectures.

    Args:
        path: of the file.
        stored: configuration in the file.
        model: configuration of the model to load into.
        difference: the first weight that differs, if known.
    """
    for name in ARCHITECTURE_FIELDS:
        there, here = getattr(stored, name), getattr(model, name)
        if there != here:
            example = f" The first weight that differs: {difference}." if difference else ""
            raise MimError(
                f"{path} holds weights of another architecture: its {name} is {there}, the "
                f"model's is {here}.{example} Build the model with mim_tf.load_model, or leave "
                "out the flag."
            )


def check_finite(path: Path, weights: Arrays) -> None:
    """Raise `MimError` for the first weight that is NaN or infinite in float32."""
    for name, values in weights.items():
        with np.errstate(over="ignore"):
            finite = np.isfinite(np.asarray(values, np.float32)).all()
        if not finite:
            raise MimError(
                f"{path}: {name} has values that are NaN or infinite in float32: the training had "
                "diverged. Take the weights of an earlier iteration."
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
    """

    path: Path
    stored: ModelConfig | None
    weights: Arrays
    optimizer: Arrays | None
    policy: str | None = None

    def config(self, **known: Any) -> ModelConfig:
        """Return the configuration; `known` is used if the file has none."""
        return self.stored or ModelConfig(**known)

    def load(self, model: Any) -> None:
        """Assign the weights to `model`, and the optimizer's state if both have one.

        Raises:
            MimError: if they do not fit or are not finite; the model is unchanged then.
        """
        variables = dict(zip(_keys(model), model.step.weights, strict=True))
        difference = _difference(self.weights, variables)
        if self.stored:
            check_settings(self.path, self.stored, model.config, difference)
        if difference and self.stored:
            raise MimError(f"{self.path} is corrupted: {difference}. Copy or download it again.")
        if difference:
            raise MimError(
                f"{self.path} holds weights of another architecture: {difference}. A file that "
                "Keras wrote does not tell its configuration: give all of its model's."
            )
        values = [(variable, self.weights[key]) for key, variable in variables.items()]
        if self.optimizer is not None and getattr(model, "optimizer", None) is not None:
            saved = getattr(model.optimizer, "saved_variables", model.optimizer.variables)
            state = {f"vars/{number}": variable for number, variable in enumerate(saved)}
            if difference := _difference(self.optimizer, state):
                raise MimError(
                    f"{self.path} holds the state of another optimizer: {difference}. Compile the "
                    "model as it was compiled for that file."
                )
            values += [(variable, self.optimizer[key]) for key, variable in state.items()]
        check_finite(self.path, {variable.path: array for variable, array in values})
        for variable, array in values:
            variable.assign(array)


def read_hdf5(
    path: Path, stored: ModelConfig | None = None, policy: str | None = None
) -> StoredWeights:
    """Read a weights file.

    Args:
        path: of the file.
        stored: configuration of its model; by default the configuration in the file.
        policy: of its model, if known.

    Raises:
        MimError: if the file is corrupted, not a weights file, or of a later version.
    """
    with opened_hdf5(path, "a weights file", "Copy or download it again.") as file:
        if stored is None and ATTRIBUTE in file.attrs:
            stored = from_json(path, _configuration_text(file))
        if "layers" not in file:
            raise MimError(
                f"{path} is an HDF5 file, but not of weights: expected the group 'layers' of Keras'"
                f" .weights.h5 files, found {', '.join(map(repr, file)) or 'nothing'}."
            )
        # A hostile file may declare the same bytes many times; its size bounds what is read.
        room = os.path.getsize(path)
        weights = _arrays(file["layers"], "layers", room)
        weights.pop(_COUNTER, None)
        optimizer = _arrays(file["optimizer/vars"], "vars", room) if "optimizer" in file else None
    return StoredWeights(path, stored, weights, optimizer, policy)


def _configuration_text(file: h5py.File) -> str:
    attribute = file.attrs.get_id(ATTRIBUTE)
    is_text = isinstance(attribute.get_type(), h5py.h5t.TypeStringID) and attribute.shape == ()
    # HDF5 reads whatever type and size a corrupted file declares, and may crash.
    if not is_text or attribute.get_storage_size() > _MAX_CONFIGURATION_BYTES:
        raise MimError(f"{file.filename} is corrupted: its configuration is not text.")
    return file.attrs[ATTRIBUTE]


def _arrays(group: h5py.Group, key: str, room: int) -> dict[str, np.ndarray]:
    """Return key -> values of all data sets under `group`, in at most `room` bytes."""
    arrays: dict[str, np.ndarray] = {}
    for name, dataset in _datasets(group, key):
        _check_plain(name, dataset)
        room -= dataset.nbytes
        if room < 0:
            raise MimError(f"{group.file.filename} is corrupted: {name} is larger than the file.")
        arrays[name] = dataset[()]
    return arrays


def _datasets(group: h5py.Group, key: str) -> Iterator[tuple[str, h5py.Dataset]]:
    """Yield (key, data set) for everything under `group`, whose own key is `key`."""
    if key.count("/") > _MAX_DEPTH:
        raise MimError(f"{group.file.filename} is corrupted: its groups have no end.")
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise MimError(
                f"{group.file.filename}: expected all weights in this file, got a link at "
                f"{group.name}/{name}. Save the weights with Keras."
            )
        child = group[name]
        if isinstance(child, h5py.Dataset):
            yield f"{key}/{name}", child
        else:
            yield from _datasets(child, f"{key}/{name}")


def _check_plain(name: str, dataset: h5py.Dataset) -> None:
    """Raise `MimError` unless the data set is plain numbers in this file, as Keras writes it."""
    path = dataset.file.filename
    plain = not (dataset.chunks or dataset.external or dataset.is_virtual)
    if dataset.dtype.kind not in "fiu" or not plain:
        raise MimError(
            f"{path}: expected {name} as plain numbers, got {dataset.dtype}"
            f"{'' if plain else ', compressed or kept elsewhere'}. Save the weights with Keras."
        )
    if dataset.id.get_storage_size() < dataset.nbytes:  # HDF5 would return zeros.
        raise MimError(f"{path} is incomplete: {name} was never written. Save the weights again.")


def _difference(arrays: Arrays, variables: Mapping[str, keras.Variable]) -> str:
    """Describe the first weight that differs, by its name in the model; empty if there is none."""
    for key in [*variables, *(key for key in arrays if key not in variables)]:
        here = list(variables[key].shape) if key in variables else "missing"
        there = list(arrays[key].shape) if key in arrays else "missing"
        if here != there:
            name = variables[key].path if key in variables else key
            return f"{name} is {there} there, {here} here"
    return ""


def _keys(model: Any) -> list[str]:
    """Return the key in Keras' layout of each of `model.step.weights`.

    Keras alone defines its layout, so it writes the weights once per network and architecture in a
    process. The file to load has the names of its layers too, but HDF5 crashes on corrupted names.
    """
    settings = tuple(getattr(model.config, name) for name in ARCHITECTURE_FIELDS)
    network = find_network(model.config.model_name), settings
    if network not in _KEYS:
        with saved_by_keras(model.step) as file:
            keys = dict(_numbered(file["layers"], ()))
        # Keras numbers the weights of a layer in their order.
        count: collections.Counter[str] = collections.Counter()
        _KEYS[network] = []
        for weight in model.step.weights:
            layer = weight.path.rpartition("/")[0]
            _KEYS[network].append(keys[f"{layer}/{count[layer]}"])
            count[layer] += 1
    return _KEYS[network]


def _numbered(group: h5py.Group, layers: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield (names of the layers, slash, number in the last layer; key) for every weight."""
    if "vars" in group:
        layers = (*layers, group["vars"].attrs["name"])
        for number, dataset in group["vars"].items():
            yield "/".join((*layers, number)), _STEP + dataset.name
    for name, child in group.items():
        if name != "vars":
            yield from _numbered(child, layers)
