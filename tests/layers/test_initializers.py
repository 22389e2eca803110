import keras
import numpy as np
import pytest

from mim_tf.layers.parts import ChannelGlorotUniform, small_uniform

SHAPE = 5, 5, 8, 24


@pytest.mark.parametrize(
    ("initializer", "bound"),
    [(ChannelGlorotUniform(seed=0), (6 / (8 + 24)) ** 0.5), (small_uniform(), 0.001)],
)
def test_values_are_uniform_within_the_bound(initializer, bound):
    values = np.asarray(initializer(SHAPE))
    assert values.shape == SHAPE
    assert 0.99 * bound < np.abs(values).max() <= bound
    assert values.std() == pytest.approx(bound / 3**0.5, rel=0.03)
    assert abs(values.mean()) < 0.03 * bound


def test_two_kernels_of_one_initializer_differ():
    initializer = ChannelGlorotUniform(seed=0)
    assert np.abs(np.asarray(initializer(SHAPE)) - np.asarray(initializer(SHAPE))).min() > 0


def test_follows_the_global_seed():
    keras.utils.set_random_seed(3)
    first = np.asarray(ChannelGlorotUniform()(SHAPE))
    keras.utils.set_random_seed(3)
    np.testing.assert_array_equal(ChannelGlorotUniform()(SHAPE), first)
    assert np.abs(np.asarray(ChannelGlorotUniform()(SHAPE)) - first).min() > 0


def test_survives_serialization():
    copy = keras.initializers.get(keras.initializers.serialize(ChannelGlorotUniform(seed=5)))
    assert isinstance(copy, ChannelGlorotUniform)
    np.testing.assert_array_equal(copy(SHAPE), ChannelGlorotUniform(seed=5)(SHAPE))
