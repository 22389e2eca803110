"""Weights files: Keras' HDF5 layout, with the model's configuration as an attribute."""

import dataclasses
import json
import os
import tempfile
from pathlib import Path

import h5py

from mim_tf.config import ARCHITECTURE_FIELDS, ModelConfig
from mim_tf.errors import MimError
from mim_tf.models import VideoPredictor, build_model
from mim_tf.version import __version__

_ATTRIBUTE = "mim_tf"


def save_weights(model: VideoPredictor, path, with_optimizer: bool = False) -> None:
    """Writes the weights of `model` and its configuration, all or nothing.

    Args:
        model: what to save.
        path: of the file; one of that name is replaced once the new one is complete.
        with_optimizer: include the state of the optimizer, to go on training from. The file is
            then about four times as large.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".writing-") as folder:
        full = Path(folder) / "full.weights.h5"
        complete = Path(folder) / "complete.h5"
        model.save_weights(full)
        with h5py.File(full) as source, h5py.File(complete, "w") as target:
            for name in source:
                if with_optimizer or name != "optimizer":
                    source.copy(name, target)
            target.attrs[_ATTRIBUTE] = json.dumps(
                {"version": __version__, "model": dataclasses.asdict(model.config)}
            )
        os.replace(complete, path)


def read_config(path) -> ModelConfig:
    """The configuration inside a weights file. Raises `MimError` if there is none."""
    path = Path(path)
    if not path.is_file():
        raise MimError(f"No weights file at {path}: expected a .weights.h5 file of mim_tf.")
    try:
        with h5py.File(path) as file:
            text = file.attrs.get(_ATTRIBUTE)
    except OSError as error:
        raise MimError(
            f"{path} cannot be read as HDF5: expected a weights file of mim_tf, received "
            f"{path.stat().st_size} bytes of something else or a truncated file ({error})."
        ) from error
    if text is None:
        raise MimError(
            f"{path} has no configuration of mim_tf inside, so its model is not known: expected a "
            "file written by mim_tf.save_weights."
        )
    fields = {field.name for field in dataclasses.fields(ModelConfig)}
    stored = json.loads(text)
    unknown = sorted(set(stored["model"]) - fields)
    if unknown:
        raise MimError(
            f"{path} was written by mim_tf {stored['version']} and has settings this version, "
            f"{__version__}, does not know: {', '.join(unknown)}. Install the newer version."
        )
    return ModelConfig(**stored["model"])


def load_weights(model: VideoPredictor, path) -> None:
    """Loads the weights of a file, and the optimizer's state if both have one.

    Raises:
        MimError: if the file belongs to another architecture, is damaged or not a weights file.
    """
    stored = read_config(path)
    for name in ARCHITECTURE_FIELDS:
        here, there = getattr(model.config, name), getattr(stored, name)
        if here != there:
            raise MimError(
                f"{path} holds weights of another architecture: its {name} is {there}, the "
                f"model's is {here}. Build the model with mim_tf.load_model, or leave out the flag."
            )
    try:
        with tempfile.TemporaryDirectory() as folder:
            # Keras takes no other name than *.weights.h5.
            link = Path(folder) / "file.weights.h5"
            link.symlink_to(Path(path).resolve())
            model.load_weights(link)
    except (OSError, KeyError, ValueError) as error:
        raise MimError(f"{path} is damaged: not all of its weights could be read.") from error


def load_model(path, **changes) -> VideoPredictor:
    """The model of a weights file, built from the configuration inside.

    Args:
        path: a file written by `save_weights`.
        **changes: fields of `ModelConfig` to change, such as `total_length`; none of those that
            decide which weights there are.
    """
    model = build_model(dataclasses.replace(read_config(path), **changes))
    load_weights(model, path)
    return model
