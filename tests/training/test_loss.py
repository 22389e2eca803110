"""The loss, and the biases a training starts with."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import mim_tf
from mim_tf import MimError
from mim_tf.training.losses import HalfSquaredError, half_squared_error, loss_for
from mim_tf.training.optimizers import draw_biases
from mim_tf.values.scale import RAIN_SCALES, LinearScale


@pytest.fixture
def sequences():
    """Truth and predictions of two sequences: 4 errors of 1 in the first, 1 of 3 in the second."""
    truth = np.full((2, 2, 2, 2, 1), 0.5, np.float32)
    predictions = truth.copy()
    predictions[0, 1] += 1
    predictions[1, 0, 0, 0] -= 3
    return truth, predictions


def test_the_loss_is_half_the_sum_of_squares_over_the_batch(sequences):
    assert float(HalfSquaredError()(*sequences)) == pytest.approx(0.5 * (4 + 9))
    np.testing.assert_allclose(half_squared_error(*sequences), [2, 4.5])
    copy = keras.losses.deserialize(keras.losses.serialize(HalfSquaredError()))
    assert type(copy) is HalfSquaredError
    assert float(copy(*sequences)) == pytest.approx(6.5)


def test_weights_are_of_sequences(sequences):
    """Keras would multiply a loss of each sequence by the weights of all pixels, and add them."""
    for loss in (HalfSquaredError(), loss_for("l1+l2", None)):
        first, second = (float(loss(*(each[i : i + 1] for each in sequences))) for i in (0, 1))
        assert float(loss(*sequences, np.array([1, 0.5]))) == pytest.approx(first + second / 2)
        for shape in (sequences[0].shape, (2, 2)):
            with pytest.raises(MimError, match="sample_weight"):
                loss(*sequences, np.ones(shape))


def test_the_shown_loss_is_the_mean_over_sequences_of_all_batches(sequences):
    truth, predictions = sequences
    metric = keras.metrics.MeanMetricWrapper(half_squared_error)
    metric.update_state(truth, predictions)
    metric.update_state(truth[:1], predictions[:1])
    assert float(metric.result()) == pytest.approx((2 + 4.5 + 2) / 3)


@pytest.mark.parametrize("targets", [(2, 3, 2, 2, 1), (2, 1, 2, 2, 1), (2, 2)])
def test_targets_of_another_shape_are_refused(sequences, targets):
    with pytest.raises(MimError, match=str(list(targets))[1:-1]):
        half_squared_error(np.zeros(targets, np.float32), sequences[1])


def test_missing_targets_add_neither_loss_nor_gradient(sequences):
    truth, predictions = sequences
    truth[1, 0, 0, 0] = np.nan
    variable = tf.Variable(predictions)
    with tf.GradientTape() as tape:
        loss = HalfSquaredError()(truth, variable)
    assert float(loss) == pytest.approx(0.5 * 4)
    expected = np.nan_to_num(predictions - truth)
    np.testing.assert_array_equal(tape.gradient(loss, variable), expected)


def biases(model):
    return [v.numpy() for v in model.trainable_variables if v.path.endswith("/bias")]


def test_biases_and_nothing_else_are_drawn_by_the_seed(tiny_model):
    draw_biases(tiny_model, 0, seed=1)
    assert not any(bias.any() for bias in biases(tiny_model))
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


@pytest.mark.slow
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


RAIN = RAIN_SCALES["dbz"]


@pytest.mark.parametrize(
    ("kind", "scale", "expected"),
    [
        ("l1+l2", None, 0.5 + 0.25),
        ("balanced", RAIN, 30 * (0.5 + 0.25)),
        ("balanced", LinearScale("dBZ", 0, 70), 30 * (0.5 + 0.25)),
        ("balanced", LinearScale(("dBZ",), (0,), (70,), names=("z",)), 30 * (0.5 + 0.25)),
    ],
)
def test_losses_for_rain(kind, scale, expected):
    """One value of 1 (200 mm/h, 70 dBZ) is predicted as 0.5, one is missing, the rest is right."""
    truth = np.zeros((1, 2, 2, 2, 1), np.float32)
    truth[0, 0, 0, 0], truth[0, 1, 1, 1] = 1, np.nan
    prediction = np.where(np.isnan(truth), 0.7, truth / 2).astype(np.float32)
    loss = loss_for(kind, scale)
    assert float(loss(truth, prediction)) == pytest.approx(expected)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert float(again(truth, prediction)) == pytest.approx(expected)


@pytest.mark.parametrize(("rate", "weight"), [(1.9, 1), (2.1, 2), (5.5, 5), (11, 10), (31, 30)])
def test_weights_of_rain_rates(rate, weight):
    truth = np.full((1, 1, 1, 1, 1), RAIN.to_unit(rate), np.float32)
    errors = float(truth.item() + truth.item() ** 2)
    got = float(loss_for("balanced", RAIN)(truth, np.zeros_like(truth)))
    assert got == pytest.approx(weight * errors, rel=1e-5)


@pytest.mark.parametrize("scale", [None, RAIN])
@pytest.mark.parametrize("kind", ["mse", keras.losses.MeanSquaredError()])
def test_losses_of_others_are_compiled_with_keras(kind, scale):
    with pytest.raises(MimError, match=r"l1\+l2.*model\.compile"):
        loss_for(kind, scale)


@pytest.mark.parametrize("scale", [None, LinearScale("K", 200, 300)])
def test_only_rain_is_balanced(scale):
    with pytest.raises(MimError, match="balanced"):
        loss_for("balanced", scale)
