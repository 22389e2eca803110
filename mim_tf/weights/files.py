"""Weights of every kind: files of mim_tf and Keras, and checkpoints of TensorFlow 1."""

import dataclasses
import tempfile
from os import PathLike
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from mim_tf.config import ModelConfig
from mim_tf.config.stored import ATTRIBUTE, to_json
from mim_tf.models import VideoPredictor, build_model
from mim_tf.models.machine import under
from mim_tf.storage.paths import move_into_place
from mim_tf.weights.by_name import find_weights
from mim_tf.weights.hdf5 import configuration_inside, load_hdf5
from mim_tf.weights.keras_file import (
    configuration_of,
    is_keras_file,
    policy_of,
    saved_by_keras,
    weights_inside,
    written_from_memory,
)
from mim_tf.weights.tf1 import infer_config, is_checkpoint, load_tf1, weight_shapes


def save_weights(
    model: VideoPredictor, path: str | PathLike, with_optimizer: bool = False, half: bool = False
) -> None:
    """Writes the weights of `model` and its configuration, or nothing.

    The file is in Keras' HDF5 layout, with the configuration as an attribute.

    Args:
        model: what to save.
        path: of the file; an older file of that name stays until the new one is complete.
        with_optimizer: also save the state of the optimizer, to continue training. The file is
            then about four times as large.
        half: round the numbers to float16, for a file of half the size.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".writing-") as folder:
        complete = Path(folder) / "complete.h5"
        with written_from_memory(complete) as target:
            with saved_by_keras(model, folder) as source:
                _copy(source, target, half, leave_out=() if with_optimizer else ("optimizer",))
            target.attrs[ATTRIBUTE] = np.bytes_(to_json(model.config))
        move_into_place(complete, path)


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


def stored_config(path: str | PathLike, **known: Any) -> ModelConfig:
    """The configuration of the model whose weights are at `path`.

    Args:
        path: a file of weights, a `.keras` file or the name of a preset, which hold all of it;
            weights that Keras wrote for version 0.1, which hold none of it; or the prefix of a
            TensorFlow 1 checkpoint, which implies most of it.
        **known: fields of `ModelConfig`, used for what the weights do not tell.

    Raises:
        MimError: if `path` is none of these, or more fields are needed.
    """
    path = find_weights(path)
    if is_checkpoint(path):
        return infer_config(weight_shapes(path), **known)
    if is_keras_file(path):
        return configuration_of(path)
    return configuration_inside(path) or ModelConfig(**known)


def load_weights(model: VideoPredictor, path: str | PathLike) -> None:
    """Loads weights of any kind, and the optimizer's state if the file and the model have one.

    Args:
        model: to load them into; an error leaves it as it was.
        path: as for `stored_config`.

    Raises:
        MimError: if the weights belong to another architecture, are damaged or not finite, or
            there are none at `path`.
    """
    path = find_weights(path)
    if is_checkpoint(path):
        load_tf1(model, path)
    elif is_keras_file(path):
        with weights_inside(path) as weights:
            load_hdf5(model, weights, configuration_of(path))
    else:
        load_hdf5(model, path)


def load_model(path: str | PathLike, **changes: Any) -> VideoPredictor:
    """The model whose weights are at `path`, built as the weights say.

    A `.keras` file says the policy, too; otherwise it is `keras.config.dtype_policy()`.

    Args:
        path: as for `stored_config`.
        **changes: fields of `ModelConfig` that the weights do not tell, or that may differ from
            training, such as `total_length`.

    Raises:
        MimError: as for `stored_config` and `load_weights`.
    """
    path = find_weights(path)
    config = dataclasses.replace(stored_config(path, **changes), **changes)
    policy = policy_of(path) if is_keras_file(path) else keras.config.dtype_policy()
    with under(policy):
        model = build_model(config)
    load_weights(model, path)
    return model
