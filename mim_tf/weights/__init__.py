"""Weights files, which carry the configuration of their model."""

from mim_tf.weights.files import load_model, load_weights, read_config, save_weights

__all__ = ["load_model", "load_weights", "read_config", "save_weights"]
