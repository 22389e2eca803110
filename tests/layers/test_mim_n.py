import numpy as np

from mim_tf.layers import MIMN
from tests.layers.cells import built_cell, example


def test_zeros_do_not_stay_zero():
    # Through biases and shifts; which is why the network may not apply it at the first frame.
    inputs, states = example(MIMN)
    _, new = built_cell(MIMN)(inputs * 0, [state * 0 for state in states])
    assert all(np.abs(np.asarray(state)).max() > 1e-2 for state in new)
