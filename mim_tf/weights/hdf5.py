"""Weights in Keras' HDF5 layout: what stands in a file, and its way into a model."""

import collections
import contextlib
from pathlib import Path

import h5py

from mim_tf.config import ModelConfig
from mim_tf.errors import MimError
from mim_tf.weights.architecture import check_finite, check_settings, first_difference
from mim_tf.weights.configuration import from_json

ATTRIBUTE = "mim_tf"
"""Attribute of the file that holds the configuration, written by `to_json`."""

_DEEPEST = 20


@contextlib.contextmanager
def open_weights(path):
    """Opens an HDF5 file to read; whatever is wrong with it becomes a `MimError`."""
    if not Path(path).is_file():
        raise MimError(
            f"No weights at {path}: expected a weights file or the prefix of a TensorFlow 1 "
            f"checkpoint, which has a {Path(path).name}.index; received "
            f"{'a folder' if Path(path).is_dir() else 'a path where there is nothing'}."
        )
    try:
        with h5py.File(path) as file:
            yield file
    except MimError:
        raise
    except Exception as error:  # h5py lets many kinds out on damaged files.
        raise MimError(
            f"{path} cannot be read: expected a weights file in HDF5, received "
            f"{Path(path).stat().st_size} bytes that are truncated, damaged or something else "
            f"({error}). Copy or download it again."
        ) from None


def configuration_inside(path) -> ModelConfig | None:
    """The configuration in a weights file, None in one that Keras wrote.

    Raises:
        MimError: if the file is damaged, holds no weights, or is of a later version.
    """
    with open_weights(path) as file:
        text = file.attrs.get(ATTRIBUTE)
        if text is None and "layers" not in file:
            raise MimError(
                f"{path} is an HDF5 file, but not of weights: expected the group 'layers' of "
                f"Keras' .weights.h5 files, found {', '.join(map(repr, file)) or 'nothing'}."
            )
    return None if text is None else from_json(path, text)


def load_hdf5(model, path) -> None:
    """Gives `model` the weights of a file, and its optimizer the state if both have one.

    Raises:
        MimError: if the file belongs to another architecture, is damaged, or has a weight that is
            not finite; the model is then as it was.
    """
    stored = configuration_inside(path)
    variables = _variables(model)
    expected = {name: tuple(variable.shape) for name, variable in variables.items()}
    with open_weights(path) as file:
        datasets = _datasets(file, variables)
        shapes = {name: dataset.shape for name, dataset in datasets.items()}
        difference = first_difference(shapes, expected)
        if stored:
            check_settings(path, stored, model.config, difference)
        if difference:
            raise _misfit(path, stored, difference)
        # Not before the shapes are known to be the model's: a file may declare any size.
        values = {name: _read(name, dataset) for name, dataset in datasets.items()}
        state = _optimizer_state(path, file, model)
    check_finite(path, values)
    for name, variable in variables.items():
        variable.assign(values[name])
    for variable, value in state:
        variable.assign(value)


def _misfit(path, stored, difference):
    if stored:
        return MimError(f"{path} is damaged: {difference}. Copy or download it again.")
    return MimError(
        f"{path} holds weights of another architecture: {difference}. A file of Keras does not "
        "tell its configuration: give all of that of its model."
    )


def _variables(model):
    """Path -> variable, of all that is saved. Keras numbers the counter's layer as it likes."""
    weights = {variable.path: variable for variable in model.step.weights}
    return weights | {"scheduled_sampling/updates": model.sampling.updates}


def _datasets(file, variables):
    """Path of each weight in the file -> dataset.

    Keras' layout tells the layers by name and their variables by number. A path ends with a number
    where `variables` does not have it.
    """
    paths, count = {}, collections.Counter()
    for path in variables:
        layer = path.rpartition("/")[0]
        paths[f"{layer}/{count[layer]}"] = path
        count[layer] += 1
    found = {}
    for name, group in _children(file["layers"]):
        if name == "functional":
            found |= _walk(group["layers"], ())
        elif "vars" in group:
            found |= {f"{name}/{number}": dataset for number, dataset in _children(group["vars"])}
    return {paths.get(key, key): dataset for key, dataset in found.items()}


def _walk(group, layers):
    """(layers/number, dataset) of every weight under `group`, which is inside `layers`."""
    if len(layers) > _DEEPEST:
        raise MimError(f"{group.file.filename} is damaged: its groups have no end.")
    if "vars" in group:
        layers = (*layers, str(group["vars"].attrs["name"]))
        for number, dataset in _children(group["vars"]):
            yield "/".join((*layers, number)), dataset
    for name, child in _children(group):
        if name != "vars":
            yield from _walk(child, layers)


def _children(group):
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise MimError(
                f"{group.file.filename}: expected all weights in this file, received a link at "
                f"{group.name}/{name}. Save the weights with Keras."
            )
        yield name, group[name]


def _read(key, dataset):
    """The values of a dataset as Keras writes them: numbers, one after the other, in this file."""
    plain = not (dataset.chunks or dataset.external or dataset.is_virtual)
    if dataset.dtype.kind not in "fiu" or not plain:
        raise MimError(
            f"{dataset.file.filename}: expected {key} as plain numbers, received {dataset.dtype}"
            f"{'' if plain else ', compressed or kept elsewhere'}. Save the weights with Keras."
        )
    return dataset[()]


def _optimizer_state(path, file, model):
    """(variable, value) for each variable of the model's optimizer, if the file has its state."""
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None or "optimizer" not in file:
        return []
    stored = file["optimizer/vars"]
    difference = first_difference(
        {number: dataset.shape for number, dataset in _children(stored)},
        {str(number): tuple(v.shape) for number, v in enumerate(optimizer.variables)},
    )
    if difference:
        raise MimError(
            f"{path} holds the state of another optimizer: its variable {difference}. Compile the "
            "model as it was compiled for that file."
        )
    return [
        (variable, _read(f"optimizer/{number}", stored[str(number)]))
        for number, variable in enumerate(optimizer.variables)
    ]
