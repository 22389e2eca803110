import oracle
import pytest
from cells import assert_close, built_cell, doubles, example, weights_by_name

from mim_tf.layers import MIMS


@pytest.mark.parametrize("layer_norm", [True, False])
def test_equals_the_formulas(layer_norm):
    cell = built_cell(MIMS, layer_norm=layer_norm)
    inputs, states = example(MIMS)
    assert_close(
        cell(inputs, states)[1],
        oracle.peephole_conv_lstm(weights_by_name(cell), doubles(inputs), doubles(states)),
    )
