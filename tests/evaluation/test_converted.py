import numpy as np
import pytest

from mim_tf.data.files.arrays import ArraySource
from mim_tf.evaluation.score_set import scores_for
from mim_tf.values.scale import ConvertedScale, LinearScale

METRES = LinearScale("m", 0, 10)
SQUARE = ConvertedScale("m2", METRES, np.square, np.sqrt)


def test_errors_and_thresholds_are_in_the_converted_unit():
    truth = np.array([0.1, 0.3, np.nan, 0.5], np.float32).reshape(1, 1, 2, 2, 1)
    prediction = np.array([0.1, 0.4, 0.9, 3], np.float32).reshape(truth.shape)
    source = ArraySource(np.nan_to_num(truth))
    source.scale, source.converted = METRES, (SQUARE,)
    source.thresholds, source.threshold_scale = (16.0,), SQUARE
    scores = scores_for(source, "hko7")
    scores.update(truth, prediction)
    mean = scores.result()["mean"]
    # 1 and 1; 9 and 16; 25 and 100, for 3 is clipped to 1.
    assert mean["mae_m2"] == pytest.approx((0 + 7 + 75) / 3, rel=1e-5)
    assert mean["rmse_m2"] == pytest.approx(np.sqrt((49 + 75**2) / 3), rel=1e-5)
    assert mean["CSI_16"] == pytest.approx(1 / 2)
    assert {"mae_m", "rmse_m"} <= set(mean)
