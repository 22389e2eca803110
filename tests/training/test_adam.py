import keras
import numpy as np
import pytest

from mim_tf.errors import MimError
from mim_tf.training.optimizers import AdamInsideRoot

# From large to of the size of epsilon's root, where its place shows.
GRADIENTS = np.array([[3.0, -0.2, 1e-4, 0.0], [1.0, 0.3, -2e-4, 1e-4], [-2.0, 0.1, 1e-5, 0.0]])


def numpy_adam(start, lr=1e-3, beta_1=0.95, beta_2=0.9995, epsilon=1e-8):
    """Values after each update."""
    value, first, second = start, 0, 0
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
    start = np.array([0.1, -0.2, 0.3, 0.0], np.float32)
    return [keras.Variable(start), keras.Variable(start.reshape(2, 2))]


def start_of(variables):
    return np.asarray(variables[0], np.float64)


def update(optimizer, variables, gradient):
    optimizer.apply([np.float32(gradient).reshape(v.shape) for v in variables], variables)


def assert_values(variables, expected):
    for variable in variables:
        np.testing.assert_allclose(np.ravel(variable), expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize(
    "settings", [{}, {"lr": 0.02, "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3}]
)
def test_updates_equal_the_formula(variables, settings):
    expected = numpy_adam(start_of(variables), **settings)
    named = {"learning_rate" if name == "lr" else name: v for name, v in settings.items()}
    optimizer = AdamInsideRoot(**named)
    for gradient, values in zip(GRADIENTS, expected, strict=True):
        update(optimizer, variables, gradient)
        assert_values(variables, values)


def test_moving_average_is_that_of_the_values_after_each_update(variables):
    first, *later = numpy_adam(start_of(variables), lr=1e-3)
    average = first
    for value in later:
        average = 0.9 * average + 0.1 * value
    optimizer = AdamInsideRoot(1e-3, use_ema=True, ema_momentum=0.9)
    for gradient in GRADIENTS:
        update(optimizer, variables, gradient)
    assert_values(optimizer.averages, average)
    # What `fit` calls when it ends.
    optimizer.finalize_variable_values(variables)
    assert_values(variables, later[-1])


def test_survives_serialization(variables):
    optimizer = AdamInsideRoot(
        0.02, beta_1=0.5, beta_2=0.9, epsilon=1e-3, use_ema=True, ema_momentum=0.9
    )
    copy = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert type(copy) is AdamInsideRoot
    # The learning rate is stored in single precision.
    assert copy.get_config() == pytest.approx(optimizer.get_config())
    expected = numpy_adam(start_of(variables), 0.02, 0.5, 0.9, 1e-3)
    for gradient in GRADIENTS:
        update(copy, variables, gradient)
    assert_values(variables, expected[-1])


def test_state_can_be_restored(variables):
    expected = numpy_adam(start_of(variables))
    optimizer = AdamInsideRoot()
    update(optimizer, variables, GRADIENTS[0])
    update(optimizer, variables, GRADIENTS[1])
    state = {}
    optimizer.save_own_variables(state)
    resumed = AdamInsideRoot()
    resumed.build(variables)
    resumed.load_own_variables(state)
    update(resumed, variables, GRADIENTS[2])
    assert_values(variables, expected[-1])


@pytest.mark.parametrize("settings", [{}, {"global_clipnorm": 0.1}])
def test_the_norm_of_the_gradient_is_before_clipping(variables, settings):
    optimizer = AdamInsideRoot(**settings)
    update(optimizer, variables, [3.0, 0.0, 0.0, 4.0])
    assert float(optimizer.gradient_norm) == pytest.approx(5 * np.sqrt(2))  # of both variables


def test_the_norm_of_the_gradient_is_not_saved(variables):
    optimizer = AdamInsideRoot()
    update(optimizer, variables, GRADIENTS[0])
    store = {}
    optimizer.save_own_variables(store)
    assert len(store) == 2 + 2 * 2  # iterations, rate, two moments of both
    other = AdamInsideRoot()
    other.build(variables)
    other.load_own_variables(store)
    assert int(other.iterations) == 1
    del store["0"]
    with pytest.raises(MimError, match="with 6 variables, received 5"):
        other.load_own_variables(store)
