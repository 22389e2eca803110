"""Weights of every kind, by path or name: read once, and loaded into a model."""

import dataclasses
from os import PathLike
from pathlib import Path
from typing import Any

import keras
from absl import logging

from mim_tf.config import ModelConfig
from mim_tf.models import VideoPredictor, build_model
from mim_tf.models.machine import under
from mim_tf.models.predictor import freeze
from mim_tf.storage.paths import open_file
from mim_tf.weights.by_name import find_weights, is_checkpoint
from mim_tf.weights.hdf5 import ZIP, StoredWeights, read_hdf5, read_keras_file, save_weights
from mim_tf.weights.tf1 import StoredCheckpoint, read_checkpoint
from mim_tf.weights.torch_file import is_torch, read_torch
from mim_tf.weights.torch_weights import StoredTorch

__all__ = ["load_model", "load_weights", "read_weights", "save_weights", "stored_config"]


def read_weights(path: str | PathLike) -> StoredWeights | StoredCheckpoint | StoredTorch:
    """Read the weights at `path`; the result has a `config(**known)`, and `load(model)` assigns it.

    Args:
        path: a weights file, a `.keras` file or the name of a preset, which have a configuration;
            a weights file that Keras wrote, which has none; or the prefix of a TensorFlow 1
            checkpoint or a file of PyTorch, which imply most of it. Others raise `MimError`.
    """
    path = Path(find_weights(path))
    if is_checkpoint(path):
        return read_checkpoint(path)
    with open_file(path, "a weights file") as file:
        is_zip = file.read(len(ZIP)) == ZIP
        of_pytorch = is_torch(file)
    if of_pytorch:
        return StoredTorch(path, read_torch(path))
    return read_keras_file(path) if is_zip else read_hdf5(path)


def stored_config(path: str | PathLike, **known: Any) -> ModelConfig:
    """Return the configuration of the model whose weights are at `path`, as for `read_weights`.

    `known` has fields of `ModelConfig`, used if the weights do not have them. If more fields are
    needed, `MimError` is raised.
    """
    return read_weights(path).config(**known)


def load_weights(model: VideoPredictor, path: str | PathLike) -> None:
    """Load weights of any kind, and the optimizer's state if the file and the model have one.

    Raises:
        MimError: if there are no weights at `path`, or they are corrupted, not finite or of another
            architecture; `model` is unchanged then.
    """
    stored = read_weights(path)
    stored.load(model)
    if not all(stored.trainable):
        logging.warning("%s has frozen layers; the model's stay as they are.", path)


def load_model(path: str | PathLike, **changes: Any) -> VideoPredictor:
    """Build the model of the weights at `path` and load them.

    A `.keras` file has a policy, too; otherwise it is `keras.config.dtype_policy()`.

    Args:
        path: as for `read_weights`.
        **changes: fields of `ModelConfig` that the weights do not have, or that may differ from
            training, such as `total_length`.

    Raises:
        MimError: as for `stored_config` and `load_weights`.
    """
    stored = read_weights(path)
    return build_from(stored, changed(stored.config(**changes), changes))


def changed(config: ModelConfig, changes: dict[str, Any]) -> ModelConfig:
    """Return the configuration of weights with changes; a width alone is the height, too."""
    if "img_width" in changes:
        changes = {"img_height": 0} | changes
    if "img_height" in changes:  # of another size, frames are not on the grid of the training
        changes = {"frame_grid": None} | changes
    return dataclasses.replace(config, **changes)


def build_from(
    stored: StoredWeights | StoredCheckpoint | StoredTorch, config: ModelConfig
) -> VideoPredictor:
    """Build the model of `config` under the policy of the weights, if they have one; load them."""
    policy = keras.DTypePolicy(stored.policy) if stored.policy else keras.config.dtype_policy()
    with under(policy):
        model = build_model(config)
    stored.load(model)
    freeze(model, stored.trainable)
    return model
