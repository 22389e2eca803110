from mim_tf.layers import MIMBlock
from tests.layers.cells import (
    BELOW,
    FILTERS,
    GRID,
    built_cell,
    weights_by_name,
)


def test_hidden_state_has_three_gates_and_mim_s_replaces_the_fourth():
    shapes = {name: value.shape for name, value in weights_by_name(built_cell(MIMBlock)).items()}
    assert shapes["from_input/kernel"] == (3, 3, BELOW, 4 * FILTERS)
    assert shapes["from_hidden/kernel"] == (3, 3, FILTERS, 3 * FILTERS)
    assert shapes["from_memory/kernel"] == (3, 3, FILTERS, 4 * FILTERS)
    assert shapes["cell_reduce/kernel"] == (1, 1, 2 * FILTERS, FILTERS)
    assert shapes["mim_s/peephole_if"] == (*GRID, 2 * FILTERS)
    assert shapes["mim_s/peephole_o"] == (*GRID, FILTERS)
