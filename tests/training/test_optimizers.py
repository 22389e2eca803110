"""Adam and Muon against NumPy, skipped updates, and learning rate schedules."""

import keras
import numpy as np
import pytest

from mim_tf.config import TrainingConfig
from mim_tf.errors import MimError
from mim_tf.training.optimizers import (
    AdamInsideRoot,
    Muon,
    learning_rate,
    make_optimizer,
    orthogonal,
)

# From large to the size of epsilon's root, which shows that epsilon is inside the root.
GRADIENTS = np.array([[3.0, -0.2, 1e-4, 0.0], [1.0, 0.3, -2e-4, 1e-4], [-2.0, 0.1, 1e-5, 0.0]])
START = np.array([0.1, -0.2, 0.3, 0.0], np.float32)
RANDOM = np.random.default_rng(0)


def numpy_adam(lr=1e-3, beta_1=0.95, beta_2=0.9995, epsilon=1e-8):
    """Values after each update."""
    value, first, second = np.float64(START), 0, 0
    values = []
    for t, gradient in enumerate(GRADIENTS, start=1):
        first = beta_1 * first + (1 - beta_1) * gradient
        second = beta_2 * second + (1 - beta_2) * gradient**2
        first_hat = first / (1 - beta_1**t)
        second_hat = second / (1 - beta_2**t)
        value = value - lr * first_hat / np.sqrt(second_hat + epsilon)
        values.append(value)
    return values


@pytest.fixture
def variables():
    """Two of different shapes, with the same values."""
    return [keras.Variable(START), keras.Variable(START.reshape(2, 2))]


def update(optimizer, variables, *gradients):
    for gradient in gradients:
        optimizer.apply([np.float32(gradient).reshape(v.shape) for v in variables], variables)


def assert_values(variables, expected):
    for variable in variables:
        np.testing.assert_allclose(np.ravel(variable), expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize(
    "settings", [{}, {"lr": 0.02, "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3}]
)
def test_adam_equals_the_formula_also_after_serialization(variables, settings):
    named = {"learning_rate" if name == "lr" else name: v for name, v in settings.items()}
    optimizer = AdamInsideRoot(**named, use_ema=True, ema_momentum=0.9)
    copy = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert type(copy) is AdamInsideRoot
    # The learning rate is stored in single precision.
    assert copy.get_config() == pytest.approx(optimizer.get_config())
    for gradient, values in zip(GRADIENTS, numpy_adam(**settings), strict=True):
        update(copy, variables, gradient)
        assert_values(variables, values)


def test_moving_averages_are_of_the_values_after_each_update(variables):
    average, *later = numpy_adam()
    for value in later:
        average = 0.9 * average + 0.1 * value
    optimizer = AdamInsideRoot(1e-3, use_ema=True, ema_momentum=0.9)
    update(optimizer, variables, *GRADIENTS)
    assert_values(optimizer.averages, average)
    optimizer.finalize_variable_values(variables)  # `fit` calls it at the end
    assert_values(variables, later[-1])


def test_the_state_of_adam_can_be_restored(variables):
    optimizer = AdamInsideRoot()
    update(optimizer, variables, *GRADIENTS[:2])
    state = {}
    optimizer.save_own_variables(state)
    assert len(state) == 2 + 2 * 2  # iterations, rate, two moments of both; no gradient norm
    resumed = AdamInsideRoot()
    resumed.build(variables)
    resumed.load_own_variables(state)
    update(resumed, variables, GRADIENTS[2])
    assert_values(variables, numpy_adam()[-1])
    del state["0"]
    with pytest.raises(MimError, match="6 variables, got 5"):
        resumed.load_own_variables(state)


@pytest.mark.parametrize("settings", [{}, {"global_clipnorm": 0.1}])
def test_the_norm_of_the_gradient_is_before_clipping(variables, settings):
    optimizer = AdamInsideRoot(**settings)
    update(optimizer, variables, [3.0, 0.0, 0.0, 4.0])
    assert float(optimizer.gradient_norm) == pytest.approx(5 * np.sqrt(2))  # of both variables


def test_a_skipped_update_changes_only_the_count():
    weight = keras.Variable([1.0, 2.0])
    optimizer = AdamInsideRoot(0.1, skip_nonfinite=True, use_ema=True)
    optimizer.apply([keras.ops.array([1.0, 1.0])], [weight])
    before = [np.array(v) for v in (weight, *optimizer.saved_variables[1:])]
    optimizer.apply([keras.ops.array([1.0, np.nan])])
    for value, variable in zip(before, (weight, *optimizer.saved_variables[1:]), strict=True):
        np.testing.assert_array_equal(value, variable)
    assert int(optimizer.iterations) == 2
    optimizer.apply([keras.ops.array([1.0, 1.0])])
    assert np.all(np.array(weight) < before[0])


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
def test_a_weight_without_a_gradient_is_not_skipped():
    unused, weight = keras.Variable([1.0]), keras.Variable([1.0, 2.0])
    optimizer = AdamInsideRoot(0.1, skip_nonfinite=True)
    optimizer.build([unused, weight])
    optimizer.apply([None, keras.ops.array([1.0, 1.0])], [unused, weight])
    assert float(unused[0]) == 1
    assert np.all(np.array(weight) < [1.0, 2.0])


def test_a_skipped_first_update_keeps_weights_and_their_average():
    weight = keras.Variable([1.0, 2.0])
    optimizer = AdamInsideRoot(0.1, skip_nonfinite=True, use_ema=True)
    optimizer.apply([keras.ops.array([1.0, np.nan])], [weight])
    np.testing.assert_array_equal(weight, [1.0, 2.0])
    np.testing.assert_array_equal(optimizer.averages[0], [1.0, 2.0])
    assert all(np.isfinite(variable).all() for variable in optimizer.saved_variables)


def numpy_orthogonal(matrix):
    """The iteration as its authors write it, in double precision."""
    x = matrix / np.linalg.norm(matrix)
    for _ in range(5):
        square = x.T @ x
        x = 3.4445 * x + x @ (-4.7750 * square + 2.0315 * square @ square)
    return x


def with_singular_values(rows, values):
    left, _ = np.linalg.qr(RANDOM.normal(size=(rows, len(values))))
    right, _ = np.linalg.qr(RANDOM.normal(size=(len(values), len(values))))
    return (left * values) @ right


@pytest.mark.parametrize("decades", [0, 1, 2])
def test_orthogonal_equals_the_oracle(decades):
    matrices = [with_singular_values(200, np.logspace(0, -decades, 16)) for _ in range(3)]
    got = orthogonal(keras.ops.convert_to_tensor(np.float32(matrices)))
    np.testing.assert_allclose(got, [numpy_orthogonal(each) for each in matrices], atol=2e-4)


def singular_values(values):
    matrix = np.float32(with_singular_values(50, np.array(values)))
    return np.linalg.svd(orthogonal(matrix[None])[0], compute_uv=False)


def test_singular_values_end_near_one_and_rounding_is_not_magnified():
    got = singular_values([1, 0.5, 0.3, 0.1, 0.02])
    assert got.min() > 0.68
    assert got.max() < 1.21
    assert singular_values(np.logspace(0, -9, 16)).max() < 1.21
    np.testing.assert_array_equal(orthogonal(np.zeros((2, 6, 3), np.float32)), 0)


def numpy_muon(kernel, gradients, filters, rate, momentum):
    moment = 0
    for gradient in gradients:
        moment = momentum * moment + gradient
        step = np.empty_like(kernel)
        for first in range(0, kernel.shape[-1], filters):
            gate = (gradient + momentum * moment)[..., first : first + filters]
            matrix = numpy_orthogonal(gate.reshape(-1, filters))
            step[..., first : first + filters] = matrix.reshape(gate.shape)
        kernel = kernel - rate * step
    return kernel


def test_each_gate_has_its_own_step():
    kernel = RANDOM.normal(size=(3, 3, 5, 8))
    scale = np.repeat([1e-3, 100], 4)  # gates with gradients of very different size
    gradients = [RANDOM.normal(size=kernel.shape) * scale for _ in range(3)]
    variable = keras.Variable(np.float32(kernel))
    optimizer = Muon(0.01, gate_filters=4, kernel_rate=3.0, momentum=0.9)
    for gradient in gradients:
        optimizer.apply([np.float32(gradient)], [variable])
    expected = numpy_muon(kernel, gradients, 4, 0.03, 0.9)
    np.testing.assert_allclose(variable, expected, rtol=0, atol=1e-4)


def test_other_weights_follow_adam():
    # A bias, a peephole weight, a 1x1 kernel, and a kernel without a whole number of gates.
    shapes = [(8,), (6, 6, 8), (1, 1, 5, 8), (3, 3, 5, 6)]
    values = [np.float32(RANDOM.normal(size=shape)) for shape in shapes]
    settings = {"learning_rate": 0.02, "beta_1": 0.8, "beta_2": 0.9}
    results = []
    for optimizer in (Muon(gate_filters=4, **settings), AdamInsideRoot(**settings)):
        variables = [keras.Variable(value) for value in values]
        for scale in (1, -0.5, 2):
            optimizer.apply([np.float32(scale * value) for value in values], variables)
        results.append(variables)
    for muon, adam in zip(*results, strict=True):
        np.testing.assert_array_equal(muon, adam)


def test_muon_survives_serialization():
    optimizer = Muon(0.01, gate_filters=4, kernel_rate=3.0, momentum=0.9, beta_1=0.7, beta_2=0.8)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert again.get_config() == optimizer.get_config()
    assert again.gate_filters == 4


def rates(schedule, updates, **settings):
    schedule = learning_rate(schedule, peak=2.0, updates=updates, **settings)
    return np.array([float(schedule(update)) for update in range(updates + 1)])


def test_constant_rate():
    assert learning_rate("constant", 2.0, warmup=0, updates=7) == 2.0
    np.testing.assert_allclose(rates("constant", 6, warmup=4), [0, 0.5, 1, 1.5, 2, 2, 2])


@pytest.mark.parametrize("warmup", [0, 10])
def test_cosine_rate(warmup):
    got = rates("cosine", 50, warmup=warmup)
    np.testing.assert_allclose(got[:warmup], np.arange(warmup) / 5, atol=1e-6)
    phase = np.pi * np.arange(51 - warmup) / (50 - warmup)
    np.testing.assert_allclose(got[warmup:], 1 + np.cos(phase), atol=1e-6)


def test_a_run_as_short_as_its_warmup_decays():
    config = TrainingConfig(
        lr=2.0, lr_schedule="cosine", warmup_iterations=20, max_iterations=20, reverse_input=False
    )
    schedule = make_optimizer(config, 4)._learning_rate
    assert float(schedule(20)) < 1e-6 < 1 < float(schedule(10))


def test_wsd_rate():
    got, later_end = rates("wsd", 100, warmup=10), learning_rate("wsd", 2.0, 10, updates=1000)
    np.testing.assert_allclose(got[:10], np.arange(1, 11) / 5, atol=1e-6)
    np.testing.assert_allclose(got[10:81], 2, atol=1e-6)
    np.testing.assert_allclose(got[80:], np.arange(20, -1, -1) / 10, atol=1e-5)
    # The end can be set to 100 as late as at update 80: nothing before it changes.
    np.testing.assert_array_equal([float(later_end(update)) for update in range(80)], got[:80])
    schedule = learning_rate("wsd", 2.0, warmup=10, updates=100)
    again = keras.optimizers.schedules.deserialize(keras.optimizers.schedules.serialize(schedule))
    assert again.get_config() == schedule.get_config()
