import numpy as np

from mim_tf.layers import GradientHighway
from tests.layers.cells import FILTERS, assert_close, built_cell, example


def with_switch(value):
    """A highway whose u is far from 0 everywhere, and an example."""
    cell = built_cell(GradientHighway, layer_norm=False)
    cell.from_input.bias.assign([0] * FILTERS + [value] * FILTERS)
    x, (z,) = example(GradientHighway)
    return cell, x, z


def test_closed_it_hands_the_state_on():
    cell, x, z = with_switch(-100)
    assert_close([cell(x, [z])[0]], [z])


def test_open_it_forgets_the_state():
    cell, x, z = with_switch(100)
    p = np.asarray(cell.from_input(x) + cell.from_hidden(z))[..., :FILTERS]
    assert_close([cell(x, [z])[0]], [np.tanh(p)])
