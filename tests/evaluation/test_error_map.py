import numpy as np

from mim_tf.evaluation.pictures import ErrorMap


def error_map(truth, prediction):
    errors = ErrorMap()
    errors.update(truth, prediction)
    return errors


def test_it_is_the_mean_over_sequences_and_channels_of_clipped_predictions():
    truth = np.zeros((2, 1, 1, 2, 2), np.float32)
    prediction = truth.copy()
    prediction[0, 0, 0, 0] = 3, 0.5
    errors = error_map(truth, prediction).result()
    assert errors.dtype == np.float32
    assert errors.tolist() == [[[(1 + 0.25) / 4, 0]]]


def test_parts_merge_and_missing_values_are_left_out():
    generator = np.random.default_rng(0)
    truth = generator.random((4, 2, 3, 3, 1), np.float32)
    prediction = generator.random(truth.shape, np.float32)
    truth[0, :, 0] = np.nan
    truth[:, :, 2] = np.nan
    first = error_map(truth[:1], prediction[:1])
    first.merge(error_map(truth[1:], prediction[1:]))
    np.testing.assert_array_equal(first.result(), error_map(truth, prediction).result())
    expected = np.square(prediction - truth)[1:, :, 0].mean(axis=(0, -1))
    np.testing.assert_allclose(first.result()[:, 0], expected, rtol=1e-6)
    assert np.isnan(first.result()[:, 2]).all()
