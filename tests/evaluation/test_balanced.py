import numpy as np
import pytest

from mim_tf.data.files.arrays import ArraySource
from mim_tf.data.sets.hko7 import DBZ, RAIN
from mim_tf.evaluation.events import BalancedErrors
from mim_tf.evaluation.score_set import scores_for


def test_heavy_rain_counts_more():
    rates = np.array([0.1, 1.99, 2.01, 4.9, 5.1, 10.1, 29, 30.1])
    truth = RAIN.to_unit(rates).reshape(1, 1, 2, 4, 1)
    scores = BalancedErrors(RAIN)
    scores.update(truth, truth + np.float32(0.1))
    weights = 1 + 1 + 2 + 2 + 5 + 10 + 10 + 30
    assert scores.result()["mean"] == {
        "B-MSE": pytest.approx(weights * 0.01, rel=1e-5),
        "B-MAE": pytest.approx(weights * 0.1, rel=1e-5),
    }


def test_missing_values_have_no_weight_and_sequences_are_averaged():
    truth = RAIN.to_unit(np.full((2, 1, 2, 2, 1), 40))
    truth[0, 0, 0] = np.nan
    scores = BalancedErrors(RAIN)
    scores.update(truth, np.full(truth.shape, truth[1, 0, 0, 0] - np.float32(0.1)))
    assert scores.result()["mean"]["B-MAE"] == pytest.approx((2 + 4) / 2 * 30 * 0.1, rel=1e-5)


def test_only_the_protocol_of_hko7_has_them():
    source = ArraySource(np.zeros((1, 1, 8, 8, 1), np.float32))
    source.scale, source.thresholds, source.threshold_scale = DBZ, (5.0,), RAIN
    for protocol, balanced in (("hko7", True), ("sevir", False)):
        scores = scores_for(source, protocol)
        scores.update(source.sequences([0]), source.sequences([0]))
        assert ("B-MSE" in scores.result()["mean"]) == balanced
