import numpy as np
import pytest

from mim_tf.config import ModelConfig
from mim_tf.errors import MimError
from mim_tf.prediction.matching import match_probabilities, matching
from mim_tf.values.scale import LinearScale


def test_a_forecast_gets_the_values_of_the_last_frame_in_its_own_order():
    last = np.array([[0.0, 0.0, 0.5], [0.1, 0.9, 0.2]]).reshape(1, 2, 3, 1)
    forecast = np.array([[0.31, 0.32, 0.33], [-0.1, 0.3, 0.0]]).reshape(1, 1, 2, 3, 1)
    found = match_probabilities(forecast, last)
    # Six values: the lowest two of the last frame, 0, belong to the two that are predicted dry.
    expected = [[0.2, 0.5, 0.9], [-0.1, 0.1, 0.0]]
    np.testing.assert_array_equal(found.reshape(2, 3), expected)


def test_every_sequence_frame_and_channel_is_matched_by_itself():
    random = np.random.default_rng(0)
    context = random.random((2, 3, 4, 5, 2))
    forecast = random.random((2, 6, 4, 5, 2))
    found = matching(lambda context: forecast, ModelConfig())(context)
    assert found.shape == forecast.shape
    for b, s, c in np.ndindex(2, 6, 2):
        one, before, last = found[b, s, ..., c], forecast[b, s, ..., c], context[b, -1, ..., c]
        np.testing.assert_array_equal(np.sort(one, axis=None), np.sort(last, axis=None))
        np.testing.assert_array_equal(np.argsort(one, axis=None), np.argsort(before, axis=None))


def test_a_scale_whose_zero_is_not_dry_is_refused():
    config = ModelConfig(scale=LinearScale(("K",), (270.0,), (290.0,), clipped=False))
    with pytest.raises(MimError, match="--probability_matching"):
        matching(lambda context: context, config)
