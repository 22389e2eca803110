import keras
import numpy as np
import pytest
import tensorflow as tf

from mim_tf import MimError
from mim_tf.training.compile import HalfSquaredError, half_squared_error


@pytest.fixture
def sequences():
    """Truth and predictions of two sequences: 4 errors of 1 in the first, 1 of 3 in the second."""
    truth = np.full((2, 2, 2, 2, 1), 0.5, np.float32)
    predictions = truth.copy()
    predictions[0, 1] += 1
    predictions[1, 0, 0, 0] -= 3
    return truth, predictions


def test_loss_is_half_the_sum_of_squares_over_the_batch(sequences):
    assert float(HalfSquaredError()(*sequences)) == pytest.approx(0.5 * (4 + 9))


def test_each_sequence_has_its_own_sum(sequences):
    np.testing.assert_allclose(half_squared_error(*sequences), [2, 4.5])


def test_shown_loss_is_the_mean_over_sequences_whatever_their_batches(sequences):
    truth, predictions = sequences
    metric = keras.metrics.MeanMetricWrapper(half_squared_error)
    metric.update_state(truth, predictions)
    metric.update_state(truth[:1], predictions[:1])
    assert float(metric.result()) == pytest.approx((2 + 4.5 + 2) / 3)


def test_truth_may_have_another_type(sequences):
    truth, predictions = sequences
    assert float(HalfSquaredError()((2 * truth).astype(np.uint8), predictions + 0.5)) == 6.5


@pytest.mark.parametrize(
    ("targets", "shape"),
    [((2, 3, 2, 2, 1), "2, 3, 2, 2, 1"), ((2, 1, 2, 2, 1), "2, 1, 2, 2, 1"), ((2, 2), "2, 2")],
)
def test_targets_of_another_shape_are_refused(sequences, targets, shape):
    words = rf"Targets must be frames 2\.\.T, \[2, 2, 2, 2, 1\], received \[{shape}\]: model\.fit"
    with pytest.raises(MimError, match=words):
        half_squared_error(np.zeros(targets, np.float32), sequences[1])


def test_sizes_that_are_not_known_before_are_taken(sequences):
    any_size = tf.TensorSpec((None,) * 5)
    traced = tf.function(half_squared_error, input_signature=[any_size, any_size])
    np.testing.assert_allclose(traced(*sequences), [2, 4.5])


def test_missing_targets_cost_nothing(sequences):
    truth, predictions = sequences
    truth[1, 0, 0, 0] = np.nan
    assert float(HalfSquaredError()(truth, predictions)) == pytest.approx(0.5 * 4)


def test_missing_targets_give_no_gradient(sequences):
    truth, predictions = sequences
    truth[1, 0, 0, 0] = np.nan
    variable = tf.Variable(predictions)
    with tf.GradientTape() as tape:
        loss = HalfSquaredError()(truth, variable)
    expected = np.nan_to_num(predictions - truth)
    np.testing.assert_array_equal(tape.gradient(loss, variable), expected)


def test_survives_serialization(sequences):
    copy = keras.losses.deserialize(keras.losses.serialize(HalfSquaredError()))
    assert type(copy) is HalfSquaredError
    assert float(copy(*sequences)) == pytest.approx(6.5)
