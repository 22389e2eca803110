"""The parts of the cells: convolution of gates, tensor layer norm, initializers, patches."""

import keras
import ml_dtypes
import numpy as np
import pytest

from mim_tf.layers import DepthToSpace, GateConvolution, SpaceToDepth, TensorLayerNorm
from mim_tf.layers.parts import ChannelGlorotUniform
from tests.layers import oracle
from tests.layers.cells import (
    GRID,
    assert_close,
    randomise,
    same_after_serialization,
    weights_by_name,
)

INPUTS = np.random.default_rng(0).normal(size=(3, *GRID, 5)).astype(np.float32)
FAR = 0.5 + 2 * INPUTS


def convolution(kernel_size=3, layer_norm=True, **settings):
    layer = GateConvolution(7, kernel_size, layer_norm, **settings)
    layer(INPUTS)
    randomise(layer)
    return layer


@pytest.mark.parametrize("layer_norm", [True, False])
@pytest.mark.parametrize("kernel_size", [1, 3, 5])
def test_convolution_equals_the_formula(kernel_size, layer_norm):
    layer = convolution(kernel_size, layer_norm)
    expected = oracle.gate_convolution(weights_by_name(layer), np.float64(INPUTS))
    assert_close([layer(INPUTS)], [expected])
    assert layer.compute_output_shape((None, *GRID, 5)) == (None, *GRID, 7)
    same_after_serialization(layer, INPUTS)


def test_settings_survive_serialization():
    initializer = keras.initializers.Constant(0.25)
    layer = GateConvolution(2, 3, kernel_initializer=initializer, precision="bfloat16")
    copy = keras.layers.deserialize(keras.layers.serialize(layer))
    copy.build((None, *GRID, 1))
    assert (np.asarray(copy.kernel) == 0.25).all()
    assert copy.precision == "bfloat16"
    assert TensorLayerNorm.from_config(TensorLayerNorm(epsilon=0.5).get_config()).epsilon == 0.5


def rounded(values):
    return np.asarray(values).astype(ml_dtypes.bfloat16).astype(np.float64)


def test_bfloat16_rounds_the_factors_and_the_sum_but_no_weight():
    layer = convolution(layer_norm=False, precision="bfloat16")
    got = layer(INPUTS)
    kernel, bias = np.asarray(layer.kernel), np.asarray(layer.bias)
    expected = oracle.convolve(rounded(INPUTS), rounded(kernel))
    assert keras.backend.standardize_dtype(got.dtype) == "float32"
    assert (rounded(kernel) != kernel).any()
    # The last of 8 bits; half of it, unless the sum is made of rounded parts.
    assert (abs(np.asarray(got) - bias - expected) <= 2**-7 * abs(expected) + 1e-3).all()


@pytest.fixture
def norm():
    norm = TensorLayerNorm()
    norm(FAR)
    randomise(norm)
    return norm


# Inputs of the size of epsilon's root show that epsilon is inside the root.
@pytest.mark.parametrize("factor", [1, 1e-3])
def test_norm_equals_the_formula(norm, factor):
    inputs = FAR * np.float32(factor)
    expected = oracle.tensor_layer_norm(weights_by_name(norm), np.float64(inputs))
    assert_close([norm(inputs)], [expected])
    assert_close(np.asarray(norm(inputs))[:, None], [norm(inputs[i : i + 1]) for i in range(3)])
    same_after_serialization(norm, inputs)


@pytest.mark.parametrize("value", [0, 1, 0.7])
def test_norm_of_constant_input_is_the_shift(norm, value):
    got = np.asarray(norm(np.full_like(FAR, value)))
    expected = np.broadcast_to(weights_by_name(norm)["shift"], got.shape)
    # 1 / sqrt(epsilon) magnifies the rounding of 0.7.
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-4)


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


SHAPE = 5, 5, 8, 24


def test_follows_the_global_seed():
    keras.utils.set_random_seed(3)
    first = np.asarray(ChannelGlorotUniform()(SHAPE))
    keras.utils.set_random_seed(3)
    np.testing.assert_array_equal(ChannelGlorotUniform()(SHAPE), first)
    assert np.abs(np.asarray(ChannelGlorotUniform()(SHAPE)) - first).min() > 0


@pytest.mark.parametrize(("p", "channels"), [(1, 2), (2, 1), (2, 3), (4, 2)])
def test_patches_are_cut_and_joined_again(p, channels):
    frames = np.random.default_rng(0).random((3, 2 * p, 3 * p, channels), np.float32)
    patches = SpaceToDepth(p)(frames)
    np.testing.assert_array_equal(patches, oracle.space_to_depth(frames, p))
    np.testing.assert_array_equal(DepthToSpace(p)(patches), frames)
    np.testing.assert_array_equal(oracle.depth_to_space(np.asarray(patches), p), frames)
