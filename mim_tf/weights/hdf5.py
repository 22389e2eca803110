"""Whether weights fit a model, and what to say where they do not."""

import collections
import contextlib
import os
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path

import h5py
import keras
import numpy as np

from mim_tf.config import ARCHITECTURE_FIELDS, ModelConfig
from mim_tf.config.stored import ATTRIBUTE, from_json
from mim_tf.errors import MimError
from mim_tf.storage.hdf5 import opened_hdf5
from mim_tf.weights.keras_file import saved_by_keras

Shapes = Mapping[str, tuple[int, ...]]


def first_difference(stored: Shapes, expected: Shapes) -> str:
    """Names the first weight that differs, with both shapes; empty if there is none.

    Args:
        stored: name -> shape of the weights in a file.
        expected: name -> shape of the model's weights, in its order.
    """
    for name in [*expected, *(name for name in stored if name not in expected)]:
        if stored.get(name) != expected.get(name):
            return f"{name} is {_words(stored.get(name))} there, {_words(expected.get(name))} here"
    return ""


def _words(shape: tuple[int, ...] | None) -> str:
    return "missing" if shape is None else f"{list(shape)}"


def check_settings(
    path: str | PathLike, stored: ModelConfig, model: ModelConfig, difference: str
) -> None:
    """Raises `MimError` if the model of a file and the one to load it into are built differently.

    Args:
        path: of the file.
        stored: the configuration of its model.
        model: that of the model to load it into.
        difference: the first weight that differs, from `first_difference`.
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


def check_finite(path: str | PathLike, weights: Mapping[str, np.ndarray]) -> None:
    """Raises `MimError` for the first weight with a value that is not finite in float32."""
    for name, values in weights.items():
        with np.errstate(over="ignore"):
            finite = np.isfinite(np.asarray(values, np.float32)).all()
        if not finite:
            raise MimError(
                f"{path}: {name} has values that are NaN or infinite in float32: the training had "
                "diverged. Take the weights of an earlier iteration."
            )


# MERGED: Weights in Keras' HDF5 layout, read with distrust.
#
# Keras' own loader assigns as it reads, skips what it does not know, and takes memory for any shape
# below 4 GiB before it compares it. Here every shape is compared, and every value read, before the
# first weight of the model changes.


_STEP = "layers/functional"
# Files of version 0.1 hold the count of updates for scheduled sampling; the optimizer counts now.
_COUNTER = "layers/scheduled_sampling/vars/0"
_MAX_DEPTH = 20
_MAX_CONFIGURATION_BYTES = 2**16


@contextlib.contextmanager
def open_weights(path: str | PathLike) -> Iterator[h5py.File]:
    """Opens an HDF5 file to read; whatever is wrong with it becomes a `MimError`."""
    path = Path(path)
    if os.path.isdir(path) or not os.path.lexists(path):
        raise MimError(
            f"No weights at {path}: expected a weights file or the prefix of a TensorFlow 1 "
            f"checkpoint, which has a {path.name}.index; received "
            f"{'a folder' if os.path.isdir(path) else 'a path where there is nothing'}."
        )
    with opened_hdf5(path, "a weights file", "Copy or download it again.") as file:
        yield file


def configuration_inside(path: str | PathLike) -> ModelConfig | None:
    """The configuration in a weights file; None in one that Keras wrote.

    Raises:
        MimError: if the file is damaged, holds no weights, or was written by a later version.
    """
    with open_weights(path) as file:
        if ATTRIBUTE in file.attrs:
            return from_json(path, _configuration_text(file))
        if "layers" in file:
            return None
        raise MimError(
            f"{path} is an HDF5 file, but not of weights: expected the group 'layers' of Keras' "
            f".weights.h5 files, found {', '.join(map(repr, file)) or 'nothing'}."
        )


def _configuration_text(file: h5py.File) -> str:
    attribute = file.attrs.get_id(ATTRIBUTE)
    is_text = isinstance(attribute.get_type(), h5py.h5t.TypeStringID) and attribute.shape == ()
    # HDF5 reads whatever type and size a damaged file declares, and may crash.
    if not is_text or attribute.get_storage_size() > _MAX_CONFIGURATION_BYTES:
        raise MimError(f"{file.filename} is damaged: its configuration is not text.")
    return file.attrs[ATTRIBUTE]


def load_hdf5(model: keras.Model, path: str | PathLike, stored: ModelConfig | None = None) -> None:
    """Loads the weights of a file into `model`, and its optimizer's state if both have one.

    Args:
        model: to load them into.
        path: of the file.
        stored: the configuration of its model, by default the one inside.

    Raises:
        MimError: if the file belongs to another architecture, is damaged or incomplete, or has a
            weight that is not finite; the model is then as it was.
    """
    stored = stored or configuration_inside(path)
    variables = _variables(model)
    with open_weights(path) as file:
        datasets = dict(_datasets(file["layers"], "layers"))
        datasets.pop(_COUNTER, None)
        difference = _difference(datasets, variables)
        if stored:
            check_settings(path, stored, model.config, difference)
        if difference and stored:
            raise MimError(f"{path} is damaged: {difference}. Copy or download it again.")
        if difference:
            raise MimError(
                f"{path} holds weights of another architecture: {difference}. A file that Keras "
                "wrote does not tell its configuration: give all of its model's."
            )
        values = _values(variables, datasets) + _optimizer_state(model, file)
    for variable, value in values:
        variable.assign(value)


def _difference(datasets: Mapping[str, h5py.Dataset], variables: Mapping) -> str:
    """The first weight that differs, by its name in the model; see `first_difference`."""
    names = {key: variable.path for key, variable in variables.items()}
    return first_difference(
        {names.get(key, key): dataset.shape for key, dataset in datasets.items()},
        {names[key]: tuple(variable.shape) for key, variable in variables.items()},
    )


def _variables(model: keras.Model) -> dict[str, keras.Variable]:
    """Key in Keras' layout -> variable, for all that is saved, in the order of the model.

    Keras alone knows its layout, so it writes a file here. The file to load names its layers too,
    but HDF5 crashes on damaged names.
    """
    with saved_by_keras(model.step) as file:
        keys = dict(_numbered(file["layers"], ()))
    count: collections.Counter[str] = collections.Counter()
    variables = {}
    for variable in model.step.weights:
        layer = variable.path.rpartition("/")[0]
        variables[keys[f"{layer}/{count[layer]}"]] = variable
        count[layer] += 1
    return variables


def _numbered(group: h5py.Group, layers: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """(names of the layers, a slash, number in the last; key) for every weight of a step."""
    if "vars" in group:
        layers = (*layers, group["vars"].attrs["name"])
        for number, dataset in group["vars"].items():
            yield "/".join((*layers, number)), _STEP + dataset.name
    for name, child in group.items():
        if name != "vars":
            yield from _numbered(child, layers)


def _datasets(group: h5py.Group, key: str) -> Iterator[tuple[str, h5py.Dataset]]:
    """(key, data set) for everything under `group`, whose own key is `key`."""
    if key.count("/") > _MAX_DEPTH:
        raise MimError(f"{group.file.filename} is damaged: its groups have no end.")
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise MimError(
                f"{group.file.filename}: expected all weights in this file, received a link at "
                f"{group.name}/{name}. Save the weights with Keras."
            )
        child = group[name]
        if isinstance(child, h5py.Dataset):
            yield f"{key}/{name}", child
        else:
            yield from _datasets(child, f"{key}/{name}")


def _values(variables: Mapping, datasets: Mapping[str, h5py.Dataset]) -> list[tuple]:
    """(variable, values) for each of `variables`; their data sets have its shape."""
    return [(variable, _read(variable.path, datasets[key])) for key, variable in variables.items()]


def _read(name: str, dataset: h5py.Dataset) -> np.ndarray:
    """The values of a data set as Keras writes it: numbers, one after the other, in this file."""
    path = dataset.file.filename
    plain = not (dataset.chunks or dataset.external or dataset.is_virtual)
    if dataset.dtype.kind not in "fiu" or not plain:
        raise MimError(
            f"{path}: expected {name} as plain numbers, received {dataset.dtype}"
            f"{'' if plain else ', compressed or kept elsewhere'}. Save the weights with Keras."
        )
    if dataset.id.get_storage_size() < dataset.nbytes:  # HDF5 would read zeros.
        raise MimError(f"{path} is incomplete: {name} was never written. Save the weights again.")
    values = dataset[()]
    check_finite(path, {name: values})
    return values


def _optimizer_state(model: keras.Model, file: h5py.File) -> list[tuple]:
    """(variable, values) for the model's optimizer; nothing if it or its state is not there."""
    if getattr(model, "optimizer", None) is None or "optimizer" not in file:
        return []
    saved = getattr(model.optimizer, "saved_variables", model.optimizer.variables)
    variables = {f"vars/{number}": v for number, v in enumerate(saved)}
    datasets = dict(_datasets(file["optimizer/vars"], "vars"))
    difference = _difference(datasets, variables)
    if difference:
        raise MimError(
            f"{file.filename} holds the state of another optimizer: {difference}. Compile the "
            "model as it was compiled for that file."
        )
    return _values(variables, datasets)
