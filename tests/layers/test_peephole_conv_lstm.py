import keras
import numpy as np
import pytest

from mim_tf.layers import PeepholeConvLSTMCell
from tests.layers.cells import FILTERS, GRID, built_cell, weights_by_name


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
