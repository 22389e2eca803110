import keras
import numpy as np
import pytest

from mim_tf.layers import TensorLayerNorm
from tests.layers import oracle
from tests.layers.cells import (
    GRID,
    assert_close,
    randomise,
    same_after_serialization,
    weights_by_name,
)


@pytest.fixture
def inputs():
    return np.random.default_rng(0).normal(0.5, 2, (3, *GRID, 5)).astype(np.float32)


@pytest.fixture
def norm(inputs):
    norm = TensorLayerNorm()
    norm(inputs)
    randomise(norm)
    return norm


def test_equals_the_formula(norm, inputs):
    expected = oracle.tensor_layer_norm(weights_by_name(norm), np.float64(inputs))
    assert_close([norm(inputs)], [expected])


def test_each_sample_has_mean_zero_and_variance_one_at_first(inputs):
    got = np.asarray(TensorLayerNorm()(inputs))
    np.testing.assert_allclose(got.mean((1, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(got.var((1, 2, 3)), 1, atol=1e-4)


def test_samples_do_not_affect_each_other(norm, inputs):
    assert_close(np.asarray(norm(inputs))[:, None], [norm(inputs[i : i + 1]) for i in range(3)])


@pytest.mark.parametrize("value", [0, 1, 0.7])
def test_constant_input_gives_the_shift(norm, inputs, value):
    got = np.asarray(norm(np.full_like(inputs, value)))
    expected = np.broadcast_to(weights_by_name(norm)["shift"], got.shape)
    # 1 / sqrt(epsilon) magnifies the rounding of 0.7.
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-4)


def test_epsilon_is_inside_the_root(norm, inputs):
    # Of the size of epsilon's root, where its place shows.
    small = inputs * 1e-3
    expected = oracle.tensor_layer_norm(weights_by_name(norm), np.float64(small))
    assert_close([norm(small)], [expected])


def test_survives_serialization(norm, inputs):
    same_after_serialization(norm, inputs)


def test_epsilon_survives_serialization():
    assert TensorLayerNorm.from_config(TensorLayerNorm(epsilon=0.5).get_config()).epsilon == 0.5


@pytest.mark.parametrize(
    ("policy", "tolerance"),
    [("mixed_bfloat16", 0.02), ("mixed_float16", 0.003), ("float64", 1e-12)],
)
def test_computes_in_single_precision_at_least(policy, tolerance):
    layer = TensorLayerNorm(dtype=policy)
    # The squares of some are too large for float16.
    numbers = np.random.default_rng(0).normal(100, 300, (2, 4, 6, 3))
    inputs = keras.ops.cast(numbers, layer.compute_dtype)
    exact = np.float64(keras.ops.convert_to_numpy(inputs))
    mean, variance = (f(exact, axis=(1, 2, 3), keepdims=True) for f in (np.mean, np.var))
    got = layer(inputs)
    assert keras.backend.standardize_dtype(got.dtype) == layer.compute_dtype
    got = np.float64(keras.ops.convert_to_numpy(got))
    np.testing.assert_allclose(got, (exact - mean) / np.sqrt(variance + 1e-5), atol=tolerance)
