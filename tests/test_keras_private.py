"""Each private name of Keras that mim_tf uses does what it is used for."""

import keras
import numpy as np
import pytest

from mim_tf.layers import STLSTMCell
from mim_tf.runtime.keras_private import PrivateOptimizer, layers_inside, uses_cached_data


def test_layers_inside_a_cell():
    cell = STLSTMCell(2, 3)
    direct = [layer.name for layer in layers_inside(cell, recursive=False)]
    assert direct == ["from_input", "from_hidden", "from_memory", "cell_reduce"]
    assert sum(layer.name == "norm" for layer in layers_inside(cell)) == 3


def test_fit_evaluates_with_cached_data():
    seen = []

    class Watched(keras.Sequential):
        def evaluate(self, *arguments, **named):
            seen.append(uses_cached_data(named))
            return super().evaluate(*arguments, **named)

    model = Watched([keras.layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    x = np.ones((2, 1), np.float32)
    model.fit(x, x, validation_data=(x, x), verbose=0)
    model.evaluate(x, x, verbose=0)
    assert seen == [True, False]


class Plain(PrivateOptimizer):
    """w' = w - g, and averages that count their updates."""

    updated = 0

    def update_step(self, gradient, variable, learning_rate):
        assert self.position(variable) == (0 if variable.shape == (2,) else 1)
        self.assign_sub(variable, gradient)

    def update_averages(self, variables):
        self.updated += 1
        super().update_averages(variables)


@pytest.mark.parametrize("use_ema", [True, False])
def test_the_parts_of_an_optimizer(use_ema):
    variables = [keras.Variable([1.0, 2.0]), keras.Variable([3.0])]
    optimizer = Plain(learning_rate=1.0, use_ema=use_ema, ema_momentum=0.5)
    for _ in range(2):
        optimizer.apply([keras.ops.ones(2), keras.ops.ones(1)], variables)
    assert [v is w for v, w in zip(optimizer.trained, variables, strict=True)] == [True, True]
    assert optimizer.updated == 2 * use_ema
    if use_ema:
        np.testing.assert_allclose(optimizer.averages[0], [-0.5, 0.5])
