import numpy as np

from mim_tf.layers import CausalLSTMCell
from tests.layers.cells import BELOW, FILTERS, assert_close, built_cell, example, weights_by_name


def test_sizes_of_the_convolutions():
    shapes = {
        name: value.shape for name, value in weights_by_name(built_cell(CausalLSTMCell)).items()
    }
    assert shapes["from_input/kernel"] == (3, 3, BELOW, 7 * FILTERS)
    assert shapes["from_hidden/kernel"] == (3, 3, FILTERS, 4 * FILTERS)
    assert shapes["from_memory/kernel"] == (3, 3, FILTERS, 3 * FILTERS)
    assert shapes["from_cell/kernel"] == (3, 3, FILTERS, 4 * FILTERS)
    assert shapes["from_new_memory/kernel"] == (3, 3, FILTERS, FILTERS)
    assert shapes["cell_reduce/kernel"] == (1, 1, 2 * FILTERS, FILTERS)


def test_spatial_memory_follows_the_cell_state_but_not_the_other_way_round():
    cell = built_cell(CausalLSTMCell)
    inputs, (h, c, m) = example(CausalLSTMCell)
    _, (_, c_new, m_new) = cell(inputs, [h, c, m])
    _, (_, c_other, _) = cell(inputs, [h, c, m + 1])
    assert_close([c_other], [c_new])
    _, (_, _, m_other) = cell(inputs, [h, c + 1, m])
    assert np.abs(np.asarray(m_other - m_new)).max() > 1e-2
