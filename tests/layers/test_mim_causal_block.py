from mim_tf.layers import MIMCausalBlock
from tests.layers.cells import BELOW, FILTERS, GRID, built_cell, weights_by_name


def test_mim_s_replaces_the_temporal_forget_gates():
    shapes = {
        name: value.shape for name, value in weights_by_name(built_cell(MIMCausalBlock)).items()
    }
    assert shapes["from_input/kernel"] == (3, 3, BELOW, 6 * FILTERS)
    assert shapes["from_hidden/kernel"] == (3, 3, FILTERS, 3 * FILTERS)
    assert shapes["from_cell/kernel"] == (3, 3, FILTERS, 4 * FILTERS)
    assert shapes["mim_s/peephole_if"] == (*GRID, 2 * FILTERS)
