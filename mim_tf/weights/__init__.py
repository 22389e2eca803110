"""Weights: files of mim_tf, which carry the configuration, of Keras, and of TensorFlow 1."""

from mim_tf.weights.files import load_model, load_weights, save_weights, stored_config

__all__ = ["load_model", "load_weights", "save_weights", "stored_config"]
