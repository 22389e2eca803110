import numpy as np
import oracle
import pytest
from cells import assert_close, built_cell, doubles, example, weights_by_name

from mim_tf.layers import MIMN


@pytest.mark.parametrize("layer_norm", [True, False])
def test_equals_the_formulas(layer_norm):
    cell = built_cell(MIMN, layer_norm=layer_norm)
    inputs, states = example(MIMN)
    assert_close(
        cell(inputs, states)[1],
        oracle.peephole_conv_lstm(weights_by_name(cell), doubles(inputs), doubles(states)),
    )


def test_zeros_do_not_stay_zero():
    # Through biases and shifts; which is why the network may not apply it at the first frame.
    inputs, states = example(MIMN)
    _, new = built_cell(MIMN)(inputs * 0, [state * 0 for state in states])
    assert all(np.abs(np.asarray(state)).max() > 1e-2 for state in new)
