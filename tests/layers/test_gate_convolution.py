import keras
import ml_dtypes
import numpy as np
import pytest

from mim_tf.layers import GateConvolution
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
    return np.random.default_rng(0).normal(size=(2, *GRID, 5)).astype(np.float32)


def built(inputs, kernel_size, layer_norm):
    layer = GateConvolution(7, kernel_size, layer_norm)
    layer(inputs)
    randomise(layer)
    return layer


@pytest.mark.parametrize("layer_norm", [True, False])
@pytest.mark.parametrize("kernel_size", [1, 3, 5])
def test_equals_the_formula(inputs, kernel_size, layer_norm):
    layer = built(inputs, kernel_size, layer_norm)
    expected = oracle.gate_convolution(weights_by_name(layer), np.float64(inputs))
    assert_close([layer(inputs)], [expected])


def test_kernel_is_not_flipped(inputs):
    layer = built(inputs, 3, layer_norm=False)
    kernel = np.zeros(layer.kernel.shape)
    kernel[0, 2] = 1
    layer.kernel.assign(kernel)
    layer.bias.assign(np.zeros(7))
    got = np.asarray(layer(inputs))[..., 0]
    above_to_the_right = np.zeros_like(got)
    above_to_the_right[:, 1:, :-1] = inputs[:, :-1, 1:].sum(-1)
    np.testing.assert_allclose(got, above_to_the_right, atol=1e-5)


@pytest.mark.parametrize("layer_norm", [True, False])
def test_survives_serialization(inputs, layer_norm):
    same_after_serialization(built(inputs, 3, layer_norm), inputs)


def test_initializer_survives_serialization():
    layer = GateConvolution(2, 3, kernel_initializer=keras.initializers.Constant(0.25))
    copy = keras.layers.deserialize(keras.layers.serialize(layer))
    copy.build((None, *GRID, 1))
    assert (np.asarray(copy.kernel) == 0.25).all()


def test_output_shape_is_known_before_the_call(inputs):
    layer = GateConvolution(7, 3)
    assert layer.compute_output_shape((None, *GRID, 5)) == (None, *GRID, 7)


def rounded(values):
    return np.asarray(values).astype(ml_dtypes.bfloat16).astype(np.float64)


def test_bfloat16_rounds_what_is_multiplied_and_the_sum_but_no_weight(inputs):
    layer = GateConvolution(7, 3, layer_norm=False, precision="bfloat16")
    layer(inputs)
    randomise(layer)
    got = layer(inputs)
    kernel, bias = np.asarray(layer.kernel), np.asarray(layer.bias)
    expected = oracle.convolve(rounded(inputs), rounded(kernel))
    assert keras.backend.standardize_dtype(got.dtype) == "float32"
    assert (rounded(kernel) != kernel).any()
    # The last of 8 bits; half of it, unless the sum is made of rounded parts.
    assert (abs(np.asarray(got) - bias - expected) <= 2**-7 * abs(expected) + 1e-3).all()


def test_precision_survives_serialization():
    layer = GateConvolution(2, 3, precision="bfloat16")
    copy = keras.layers.deserialize(keras.layers.serialize(layer))
    assert copy.precision == "bfloat16"
