"""What the tests of all cells share: examples of their inputs, and weights."""

import keras
import numpy as np

from mim_tf.layers import (
    MIMN,
    MIMS,
    CausalLSTMCell,
    GradientHighway,
    MIMBlock,
    MIMCausalBlock,
    OpenSTLCausalLSTMCell,
    OpenSTLConvLSTMCell,
    PeepholeConvLSTMCell,
    STLSTMCell,
    TorchSTLSTMCell,
)
from tests.layers import oracle

GRID = 4, 6
FILTERS = 3
BELOW = 5
_BOTH = BELOW, FILTERS
# The formula of each cell, the channels of its inputs and the number of its states. The input from
# below has a channel count of its own, so that no two sizes can be mistaken for each other.
CELLS = {
    STLSTMCell: (oracle.st_lstm, BELOW, 3),
    PeepholeConvLSTMCell: (oracle.peephole_conv_lstm, BELOW, 2),
    MIMN: (oracle.peephole_conv_lstm, FILTERS, 2),
    MIMS: (oracle.peephole_conv_lstm, FILTERS, 2),
    MIMBlock: (oracle.mim_block, _BOTH, 4),
    CausalLSTMCell: (oracle.causal_lstm, BELOW, 3),
    MIMCausalBlock: (oracle.mim_causal_block, _BOTH, 4),
    GradientHighway: (oracle.gradient_highway, BELOW, 1),
    TorchSTLSTMCell: (oracle.torch_st_lstm, BELOW, 3),
    OpenSTLCausalLSTMCell: (oracle.openstl_causal_lstm, BELOW, 3),
    OpenSTLConvLSTMCell: (oracle.openstl_conv_lstm, BELOW, 2),
}


def example(cell_class, batch=2, seed=0):
    """Inputs and states of a cell, float32."""
    rng = np.random.default_rng(seed)
    _, channels, count = CELLS[cell_class]

    def feature_map(depth):
        return rng.normal(size=(batch, *GRID, depth)).astype(np.float32)

    inputs = keras.tree.map_structure(feature_map, channels)
    return inputs, [feature_map(FILTERS) for _ in range(count)]


def built_cell(cell_class, kernel_size=3, layer_norm=True, random_weights=True, **settings):
    """A cell that has been called once."""
    cell = cell_class(FILTERS, kernel_size, layer_norm, **settings)
    cell(*example(cell_class))
    if random_weights:
        randomise(cell)
    return cell


def randomise(layer, seed=1):
    """Move every weight off its initial value, so that none can be left out unnoticed."""
    rng = np.random.default_rng(seed)
    for weight in layer.trainable_weights:
        weight.assign(rng.normal(weight.name == "scale", 0.3, weight.shape))


def weights_by_name(layer):
    """Name inside the layer -> float64 array."""
    return {
        weight.path.removeprefix(layer.name + "/"): np.asarray(weight, np.float64)
        for weight in layer.weights
    }


def doubles(arrays):
    """The oracle's inputs: float64."""
    return keras.tree.map_structure(np.float64, arrays)


def assert_close(got, expected):
    for ours, theirs in zip(got, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


def same_after_serialization(layer, *example):
    """Asserts that the layer's configuration makes a layer with the same outputs."""
    copy = keras.layers.deserialize(keras.layers.serialize(layer))
    assert type(copy) is type(layer)
    copy(*example)
    copy.set_weights(layer.get_weights())
    keras.tree.map_structure(np.testing.assert_array_equal, copy(*example), layer(*example))
