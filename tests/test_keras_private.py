"""Each private name of Keras that mim_tf uses does what it is used for."""

import io

import h5py
import keras
import numpy as np
import pytest

from mim_tf.layers import STLSTMCell
from mim_tf.runtime.keras_private import (
    PrivateOptimizer,
    WeightsFile,
    layers_inside,
    uses_cached_data,
)


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


def content(file):
    """Path -> values of a data set, or attributes of a group."""
    found = {}
    file.visititems(
        lambda name, item: found.update(
            {name: item[()] if isinstance(item, h5py.Dataset) else dict(item.attrs)}
        )
    )
    return found


def test_a_weights_file_is_that_of_save_weights(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    model.save_weights(tmp_path / "a.weights.h5")
    with h5py.File(tmp_path / "a.weights.h5") as file:
        expected = content(file)
    whole = WeightsFile(model)
    assert [whole.variables[f"layers/dense_1/vars/{i}"] for i in (0, 1)] == model.layers[1].weights
    with h5py.File(io.BytesIO(whole.content(version="1"))) as file:
        np.testing.assert_equal(content(file), expected)
        assert file.attrs["version"] == "1"
    half = WeightsFile(model, "at", half=True, leave_out=[model.optimizer])
    assert all(key.startswith("at/layers/") for key in half.variables)
    with h5py.File(io.BytesIO(half.content())) as file:
        assert file["at/layers/dense/vars/0"].dtype == np.float16


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
