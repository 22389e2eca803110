import numpy as np
import pytest

from mim_tf.evaluation.errors import PixelErrors


def test_errors_of_one_value():
    errors = PixelErrors()
    truth = np.array([[0, 0.5], [np.nan, 0]], np.float32).reshape(1, 2, 1, 2, 1)
    prediction = np.array([[-1, 0.5], [7, 3]], np.float32).reshape(truth.shape)
    errors.update(truth, prediction)
    result = errors.result()
    assert result["per_frame"] == {"mse": [0.5, 9], "mae": [0.5, 3], "rmse": [0.5**0.5, 3]}
    assert result["mean"]["mse"] == pytest.approx((1 + 0 + 9) / 3)
    assert result["mean"]["mae"] == pytest.approx((1 + 0 + 3) / 3)
    # Of all values, not the mean of the frames' roots.
    assert result["mean"]["rmse"] == pytest.approx((10 / 3) ** 0.5)
