import oracle
import pytest
from cells import assert_close, built_cell, doubles, example, weights_by_name

from mim_tf.layers import STLSTMCell


@pytest.mark.parametrize("kernel_size", [3, 5])
@pytest.mark.parametrize("layer_norm", [True, False])
def test_equals_the_formulas(layer_norm, kernel_size):
    cell = built_cell(STLSTMCell, kernel_size, layer_norm)
    inputs, states = example(STLSTMCell)
    assert_close(
        cell(inputs, states)[1],
        oracle.st_lstm(weights_by_name(cell), doubles(inputs), doubles(states)),
    )
