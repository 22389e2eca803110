"""Weights files of mim_tf, Keras, TensorFlow 1 and PyTorch; imported when they are first used."""

from typing import TYPE_CHECKING

from mim_tf.runtime.backend import lazy_names

if TYPE_CHECKING:
    from mim_tf.weights.files import load_model, load_weights, save_weights, stored_config

__all__ = ["load_model", "load_weights", "save_weights", "stored_config"]

__getattr__ = lazy_names(__name__, dict.fromkeys(__all__, "mim_tf.weights.files"))
