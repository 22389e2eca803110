"""The cells: each against its formula in NumPy, and the properties that all of them share."""

import itertools

import keras
import numpy as np
import pytest

from mim_tf.layers import (
    MIMN,
    MIMS,
    CausalLSTMCell,
    GradientHighway,
    OpenSTLCausalLSTMCell,
    OpenSTLConvLSTMCell,
    PeepholeConvLSTMCell,
    STLSTMCell,
)
from tests.layers.cells import (
    CELLS,
    FILTERS,
    GRID,
    assert_close,
    built_cell,
    doubles,
    example,
    same_after_serialization,
    weights_by_name,
)


def each(*cells):
    return pytest.mark.parametrize("cell_class", cells)


LIGHTNING = {"layer_norm": "positions", "era": "lightning"}


@pytest.mark.parametrize(
    ("cell_class", "settings"),
    [
        *itertools.product(CELLS, [{}, {"kernel_size": 5, "layer_norm": False}]),
        (OpenSTLCausalLSTMCell, LIGHTNING),
        (OpenSTLConvLSTMCell, LIGHTNING),
    ],
)
def test_equals_the_formulas_and_survives_serialization(cell_class, settings):
    cell = built_cell(cell_class, **settings)
    inputs, states = example(cell_class)
    arrays = weights_by_name(cell), doubles(inputs), doubles(states)
    era = {"era": settings["era"]} if "era" in settings else {}
    assert_close(cell(inputs, states)[1], CELLS[cell_class][0](*arrays, **era))
    same_after_serialization(cell, inputs, states)


SMALL = PeepholeConvLSTMCell, MIMN, CausalLSTMCell, GradientHighway, OpenSTLCausalLSTMCell


@each(*CELLS)
def test_kernels_start_uniform_within_the_bound_of_the_2019_code(cell_class):
    keras.utils.set_random_seed(0)
    cell = built_cell(cell_class, kernel_size=5, random_weights=False)
    weights = weights_by_name(cell)
    kernels = {k: v for k, v in weights.items() if k.endswith("kernel")}
    for name, kernel in kernels.items():
        is_small = cell_class in SMALL and "cell_reduce" not in name
        bound = 0.001 if is_small else (6 / sum(kernel.shape[-2:])) ** 0.5
        # A 1x1 kernel has only 18 values, too few to come close to the bound.
        nearest = 0.95 if kernel.size > 100 else 0.7
        assert nearest * bound < np.abs(kernel).max() <= bound * (1 + 1e-6), name
        if kernel.size > 100:
            assert kernel.std() == pytest.approx(bound / 3**0.5, rel=0.1), name
    assert len({tuple(kernel.flat[:9]) for kernel in kernels.values()}) == len(kernels)
    for name, value in weights.items():
        start = {"bias": 0, "shift": 0, "scale": 1}.get(name.rsplit("/", 1)[-1])
        if start is not None:
            np.testing.assert_array_equal(value, start, err_msg=name)


@each(STLSTMCell, PeepholeConvLSTMCell, MIMN, MIMS, CausalLSTMCell, GradientHighway)
def test_works_in_the_rnn_layer_of_keras(cell_class):
    cell = cell_class(FILTERS, 3)
    channels = example(cell_class)[0].shape[-1]
    frames = np.random.default_rng(0).normal(size=(2, 3, *GRID, channels)).astype(np.float32)
    outputs = keras.layers.RNN(cell, return_sequences=True)(frames)
    states = cell.get_initial_state(batch_size=2)
    for t in range(3):
        output, states = cell(frames[:, t], states)
        np.testing.assert_allclose(outputs[:, t], output, atol=1e-6)
    last = keras.layers.RNN(cell)(frames)
    np.testing.assert_allclose(last, output, atol=1e-6)


@pytest.mark.parametrize("name", ["peephole_if", "peephole_o"])
def test_peepholes_start_glorot_uniform(name):
    keras.utils.set_random_seed(0)
    height, width, channels = (8, 10, 32 if name == "peephole_if" else 16)
    cell = PeepholeConvLSTMCell(16, 3)
    cell.build((None, height, width, 1), [(None, height, width, 16)] * 2)
    values = np.asarray(getattr(cell, name))
    # As in a one-dimensional convolution kernel with H positions.
    bound = (6 / (height * (width + channels))) ** 0.5
    assert 0.98 * bound < np.abs(values).max() <= bound * (1 + 1e-6)
    assert values.std() == pytest.approx(bound / 3**0.5, rel=0.05)
