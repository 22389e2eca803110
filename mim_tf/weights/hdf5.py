"""Weights in Keras' HDF5 layout: what stands in a file, and its way into a model."""

import collections
import contextlib
import tempfile
from pathlib import Path

import h5py

from mim_tf.config import ModelConfig
from mim_tf.errors import MimError
from mim_tf.weights.architecture import check_finite, check_settings, first_difference
from mim_tf.weights.configuration import from_json

ATTRIBUTE = "mim_tf"
"""Attribute of the file that holds the configuration, written by `to_json`."""

_STEP = "layers/functional"
_COUNTER = "layers/scheduled_sampling/vars/0"
_DEEPEST = 20
_LARGEST_CONFIGURATION = 2**16


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
        if ATTRIBUTE in file.attrs:
            return from_json(path, _configuration_text(file))
        if "layers" in file:
            return None
        raise MimError(
            f"{path} is an HDF5 file, but not of weights: expected the group 'layers' of Keras' "
            f".weights.h5 files, found {', '.join(map(repr, file)) or 'nothing'}."
        )


def _configuration_text(file):
    attribute = file.attrs.get_id(ATTRIBUTE)
    is_text = isinstance(attribute.get_type(), h5py.h5t.TypeStringID) and attribute.shape == ()
    # HDF5 reads whatever type and size a damaged file declares, and may crash.
    if not is_text or attribute.get_storage_size() > _LARGEST_CONFIGURATION:
        raise MimError(f"{file.filename} is damaged: its configuration is no text.")
    return file.attrs[ATTRIBUTE]


def load_hdf5(model, path) -> None:
    """Gives `model` the weights of a file, and its optimizer the state if both have one.

    Raises:
        MimError: if the file belongs to another architecture, is damaged, or has a weight that is
            not finite; the model is then as it was.
    """
    stored = configuration_inside(path)
    variables = _variables(model)
    names = {key: variable.path for key, variable in variables.items()}
    expected = {names[key]: tuple(variable.shape) for key, variable in variables.items()}
    with open_weights(path) as file:
        datasets = dict(_datasets(file["layers"], "layers"))
        datasets.pop(_COUNTER, None)
        shapes = {names.get(key, key): dataset.shape for key, dataset in datasets.items()}
        difference = first_difference(shapes, expected)
        if stored:
            check_settings(path, stored, model.config, difference)
        if difference:
            raise _misfit(path, stored, difference)
        # Not before the shapes are known to be the model's: a file may declare any size.
        values = {names[key]: _read(names[key], dataset) for key, dataset in datasets.items()}
        state = _optimizer_state(path, file, model)
    check_finite(path, values)
    for variable in variables.values():
        variable.assign(values[variable.path])
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
    """Key in Keras' layout -> variable, of all that is saved, in the order of the model.

    Keras alone knows its layout, so it writes a file. Files from elsewhere name their layers, too,
    but HDF5 crashes on damaged names.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "layout.weights.h5"
        model.step.save_weights(path)
        with h5py.File(path) as file:
            keys = dict(_numbered(file["layers"], ()))
    count = collections.Counter()
    variables = {}
    for variable in model.step.weights:
        layer = variable.path.rpartition("/")[0]
        variables[keys[f"{layer}/{count[layer]}"]] = variable
        count[layer] += 1
    return variables


def _numbered(group, layers):
    """(names of layers/number in the last, key) of every weight of a step."""
    if "vars" in group:
        layers = (*layers, group["vars"].attrs["name"])
        for number, dataset in group["vars"].items():
            yield "/".join((*layers, number)), _STEP + dataset.name
    for name, child in group.items():
        if name != "vars":
            yield from _numbered(child, layers)


def _datasets(group, key):
    """(key, dataset) of everything under `group`, which has `key` itself."""
    if key.count("/") > _DEEPEST:
        raise MimError(f"{group.file.filename} is damaged: its groups have no end.")
    for name, child in _children(group):
        if isinstance(child, h5py.Dataset):
            yield f"{key}/{name}", child
        else:
            yield from _datasets(child, f"{key}/{name}")


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
