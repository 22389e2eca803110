"""Whether weights fit a model, and what to say where they do not."""

from collections.abc import Mapping

import numpy as np

from mim_tf.config import ARCHITECTURE_FIELDS, ModelConfig
from mim_tf.errors import MimError

Shapes = Mapping[str, tuple[int, ...]]


def first_difference(stored: Shapes, expected: Shapes) -> str:
    """Names the first weight that differs, with both shapes; empty if there is none.

    Args:
        stored: path -> shape of the weights in a file.
        expected: path -> shape of the model's weights, in the model's order.
    """
    for path in [*expected, *(path for path in stored if path not in expected)]:
        if stored.get(path) != expected.get(path):
            return f"{path} is {_words(stored.get(path))} there, {_words(expected.get(path))} here"
    return ""


def _words(shape):
    return "missing" if shape is None else f"{list(shape)}"


def check_settings(path, stored: ModelConfig, model: ModelConfig, difference: str) -> None:
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


def check_finite(path, weights: Mapping[str, np.ndarray]) -> None:
    """Raises `MimError` for the first weight that has a value that is no number."""
    for name, values in weights.items():
        if not np.isfinite(values).all():
            raise MimError(
                f"{path}: {name} has values that are NaN or infinite: the training had diverged. "
                "Take the weights of an earlier iteration."
            )
