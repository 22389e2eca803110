"""Biases that start a little off zero."""

import numpy as np


def draw_biases(model, bound: float, seed: int) -> None:
    """Draws the biases of all convolutions uniformly from -bound to bound.

    In a network whose biases are exactly zero, as the 2019 code starts with, an empty frame leaves
    all states exactly zero. That fixed point is unstable: layer norm multiplies by up to
    `1 / sqrt(epsilon)`, 316, in each layer and frame, and gradients through a few such frames
    overflow. Biases of a thousandth already keep them as large as without empty frames.

    Args:
        model: a `VideoPredictor`; its biases are replaced.
        bound: 0 leaves the model as it is.
        seed: of the draws.
    """
    random = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        if bound and variable.name == "bias":
            variable.assign(random.uniform(-bound, bound, variable.shape))
