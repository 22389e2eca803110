import numpy as np
import pytest
import tensorflow as tf

import mim_tf
from mim_tf.training.compile import HalfSquaredError, draw_biases


def biases(model):
    return [v.numpy() for v in model.trainable_variables if v.path.endswith("/bias")]


def test_biases_and_nothing_else_are_drawn_by_the_seed(tiny_model):
    others = [v for v in tiny_model.trainable_variables if not v.path.endswith("/bias")]
    before = [v.numpy() for v in others]
    draw_biases(tiny_model, 0.5, seed=1)
    first = np.concatenate(biases(tiny_model))
    assert 0.4 < np.abs(first).max() <= 0.5
    assert first.min() < 0 < first.max()
    for variable, value in zip(others, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    draw_biases(tiny_model, 0.5, seed=1)
    np.testing.assert_array_equal(np.concatenate(biases(tiny_model)), first)


def test_a_bound_of_zero_changes_nothing(tiny_model):
    draw_biases(tiny_model, 0, seed=1)
    assert not any(bias.any() for bias in biases(tiny_model))


def test_gradients_through_empty_frames_do_not_explode(tiny_model, tiny_frames):
    @tf.function
    def largest_gradient(frames):
        with tf.GradientTape() as tape:
            loss = HalfSquaredError()(frames[:, 1:], tiny_model(frames))
        gradients = tape.gradient(loss, tiny_model.trainable_variables)
        return tf.reduce_max([tf.reduce_max(tf.abs(gradient)) for gradient in gradients])

    empty = tiny_frames[:2].copy()
    empty[:, :4] = 0
    usual = largest_gradient(tiny_frames[:2])
    assert largest_gradient(empty) > 1e3 * usual
    draw_biases(tiny_model, mim_tf.TrainingConfig.initial_bias, seed=0)
    assert largest_gradient(empty) < 100 * usual


def test_a_negative_bound_is_refused():
    with pytest.raises(mim_tf.MimError, match="initial_bias must be at least 0, received -1"):
        mim_tf.TrainingConfig(initial_bias=-1)
