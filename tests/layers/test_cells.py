"""The cells: each against its formula in NumPy, and the properties that all of them share."""

import keras
import numpy as np
import pytest

from mim_tf.errors import MimError
from mim_tf.layers import (
    MIMN,
    MIMS,
    CausalLSTMCell,
    GradientHighway,
    MIMBlock,
    MIMCausalBlock,
    PeepholeConvLSTMCell,
    STLSTMCell,
)
from tests.layers.cells import (
    CELLS,
    FILTERS,
    FORMULAS,
    GRID,
    assert_close,
    built_cell,
    doubles,
    example,
    numpy_tree,
    same_after_serialization,
    weights_by_name,
)


def each(*cells):
    return pytest.mark.parametrize("cell_class", cells)


@pytest.mark.parametrize("kernel_size", [3, 5])
@pytest.mark.parametrize("layer_norm", [True, False])
@each(*CELLS)
def test_equals_the_formulas(cell_class, layer_norm, kernel_size):
    cell = built_cell(cell_class, kernel_size, layer_norm)
    inputs, states = example(cell_class)
    formula = FORMULAS[cell_class]
    assert_close(
        cell(inputs, states)[1], formula(weights_by_name(cell), doubles(inputs), doubles(states))
    )


@each(*CELLS)
def test_a_cell_is_a_function_of_each_sequence_alone(cell_class):
    cell = built_cell(cell_class)
    inputs, states = example(cell_class)
    output, together = numpy_tree(cell(inputs, states))
    np.testing.assert_array_equal(output, together[0])
    assert [state.shape for state in together] == [state.shape for state in states]
    for i in range(2):
        alone = keras.tree.map_structure(lambda a, i=i: a[i : i + 1], (inputs, states))
        assert_close(cell(*alone)[1], [state[i : i + 1] for state in together])
    keras.tree.map_structure(
        np.testing.assert_array_equal, numpy_tree(cell(inputs, states)), (output, together)
    )


@pytest.mark.parametrize("layer_norm", [True, False])
@each(*CELLS)
def test_survives_serialization(cell_class, layer_norm):
    cell = built_cell(cell_class, layer_norm=layer_norm)
    same_after_serialization(cell, *example(cell_class))


def channel_bound(shape):
    return (6 / (shape[-2] + shape[-1])) ** 0.5


@pytest.mark.parametrize(
    ("cell_class", "bound_of_gates"),
    [
        (STLSTMCell, channel_bound),
        (PeepholeConvLSTMCell, lambda shape: 0.001),
        (MIMN, lambda shape: 0.001),
        (MIMS, channel_bound),
        (MIMBlock, channel_bound),
        (CausalLSTMCell, lambda shape: 0.001),
        (MIMCausalBlock, channel_bound),
        (GradientHighway, lambda shape: 0.001),
    ],
)
def test_kernels_start_uniform_within_the_bound_of_the_2019_code(cell_class, bound_of_gates):
    keras.utils.set_random_seed(0)
    cell = built_cell(cell_class, kernel_size=5, random_weights=False)
    kernels = {k: v for k, v in weights_by_name(cell).items() if k.endswith("kernel")}
    for name, kernel in kernels.items():
        bound = (channel_bound if "cell_reduce" in name else bound_of_gates)(kernel.shape)
        # A 1x1 kernel has only 18 values, too few to come close to the bound.
        nearest = 0.95 if kernel.size > 100 else 0.7
        assert nearest * bound < np.abs(kernel).max() <= bound * (1 + 1e-6), name
        if kernel.size > 100:
            assert kernel.std() == pytest.approx(bound / 3**0.5, rel=0.1), name
    assert len({tuple(kernel.flat[:9]) for kernel in kernels.values()}) == len(kernels)


@each(*CELLS)
def test_biases_and_shifts_start_at_zero_scales_at_one(cell_class):
    for name, value in weights_by_name(built_cell(cell_class, random_weights=False)).items():
        start = {"bias": 0, "shift": 0, "scale": 1}.get(name.rsplit("/", 1)[-1])
        if start is not None:
            np.testing.assert_array_equal(value, start, err_msg=name)


@each(*CELLS)
def test_tells_its_states(cell_class):
    cell = built_cell(cell_class)
    inputs, states = example(cell_class, batch=4)
    initial = cell.get_initial_state(batch_size=4)
    assert [state.shape for state in initial] == [state.shape for state in states]
    assert not any(np.asarray(state).any() for state in initial)
    assert (cell.state_size, cell.output_size) == ([FILTERS] * len(states), FILTERS)
    assert len(cell.state_names) == len(states)
    cell(inputs, initial)


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


def test_a_new_cell_has_no_states_yet():
    with pytest.raises(MimError):
        STLSTMCell(3).get_initial_state(batch_size=2)


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
