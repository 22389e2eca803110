import keras
import numpy as np
import oracle
import pytest
from cells import FILTERS, GRID, assert_close, built_cell, doubles, example, weights_by_name

from mim_tf.layers import PeepholeConvLSTMCell


@pytest.mark.parametrize("kernel_size", [3, 5])
@pytest.mark.parametrize("layer_norm", [True, False])
def test_equals_the_formulas(layer_norm, kernel_size):
    cell = built_cell(PeepholeConvLSTMCell, kernel_size, layer_norm)
    inputs, states = example(PeepholeConvLSTMCell)
    assert_close(
        cell(inputs, states)[1],
        oracle.peephole_conv_lstm(weights_by_name(cell), doubles(inputs), doubles(states)),
    )


def test_peepholes_have_a_value_for_every_position_and_channel():
    weights = weights_by_name(built_cell(PeepholeConvLSTMCell))
    assert weights["peephole_if"].shape == (*GRID, 2 * FILTERS)
    assert weights["peephole_o"].shape == (*GRID, FILTERS)


@pytest.mark.parametrize("name", ["peephole_if", "peephole_o"])
def test_peepholes_start_glorot_uniform(name):
    keras.utils.set_random_seed(0)
    height, width, channels = (8, 10, 32 if name == "peephole_if" else 16)
    cell = PeepholeConvLSTMCell(16, 3)
    cell.build((None, height, width, 1), [(None, height, width, 16)] * 2)
    values = np.asarray(getattr(cell, name))
    # As of a one-dimensional convolution kernel with H positions.
    bound = (6 / (height * (width + channels))) ** 0.5
    assert 0.98 * bound < np.abs(values).max() <= bound * (1 + 1e-6)
    assert values.std() == pytest.approx(bound / 3**0.5, rel=0.05)
