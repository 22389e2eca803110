"""Whether weights fit a model, and what to say where they do not."""

from collections.abc import Mapping
from os import PathLike

import numpy as np

from mim_tf.config import ARCHITECTURE_FIELDS, ModelConfig
from mim_tf.errors import MimError

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
