import re

import numpy as np
import pytest

from mim_tf import VideoPredictor
from mim_tf.serving import Endpoints
from tests.models.small_models import random_frames, small_config

HALF_A_LEVEL = 0.5 / 255


def test_neither_keras_nor_mim_tf_is_needed(consumed):
    assert consumed[1]["modules"] == []


@pytest.mark.parametrize("length", [1, 3, 5])
def test_predict(consumed, expected, length):
    predictions = consumed[0][f"predict{length}"]
    np.testing.assert_allclose(predictions, expected[length], rtol=0, atol=1e-5)
    assert np.ptp(predictions) > 0.1


def test_predict_is_the_default(consumed):
    np.testing.assert_array_equal(consumed[0]["default"], consumed[0]["predict3"])


@pytest.mark.parametrize("endpoint", ["uint8", "png", "png_decoded"])
def test_levels_are_the_nearest(consumed, expected, endpoint):
    predictions = consumed[0][endpoint]
    assert predictions.dtype == np.uint8
    tolerance = HALF_A_LEVEL + 1e-5
    np.testing.assert_allclose(predictions / 255, expected[3], rtol=0, atol=tolerance)


@pytest.mark.parametrize("length", [1, 3, 5])
def test_a_stream_predicts_what_predict_does(consumed, expected, length):
    arrays = consumed[0]
    rollout = arrays[f"rollout{length - 1}"]
    np.testing.assert_allclose(rollout, arrays[f"predict{length}"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(rollout, expected[length], rtol=0, atol=1e-5)
    np.testing.assert_array_equal(arrays[f"step{length - 1}"], rollout[:, 0])


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("empty", "frames must not be empty"),
        ("range", r"frames must be finite and in \[0, 1\], received values between"),
        ("nan", r"frames must be finite and in \[0, 1\]"),
        ("size", "frames"),
        ("rank", "frames"),
        ("batch of states", "last_prediction must have the batch size of the other inputs"),
        ("batch of one state", "h1 must have the batch size of the other inputs"),
        ("picture size", "frames must be pictures of 16 x 8"),
        ("no picture", "frames must be PNG or JPEG; received another kind of file"),
        ("empty picture", "frames must be PNG or JPEG; received another kind of file"),
        ("no streams", r"batch_size must be at least 1 and at most 837552, .* received"),
        ("too many streams", "batch_size must be .* whose states fit into a message of 2 GiB"),
        *(
            (f"{name} {value} in {endpoint}", f"{name} must be finite and within 1e.06")
            for name in ("h1", "m", "last_prediction")
            for value in ("nan", "inf", "1e+38")
            for endpoint in ("step", "rollout")
        ),
    ],
)
def test_bad_input_is_named(consumed, case, words):
    message = consumed[1][case]
    assert re.search(words, message), message


def test_models_of_any_policy_are_served_in_float32():
    mixed = VideoPredictor(small_config(), dtype="mixed_bfloat16")
    single = VideoPredictor(mixed.config, dtype="float32")
    single.set_weights(mixed.get_weights())
    frames = random_frames(1, 2)
    served = Endpoints(mixed).forecast(frames)
    expected = np.clip(single.forecast(frames), 0, 1)
    np.testing.assert_allclose(served, expected, rtol=0, atol=1e-5)
