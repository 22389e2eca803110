import json

import numpy as np
import pytest

from mim_tf.errors import MimError
from mim_tf.evaluation.errors import PhysicalErrors
from mim_tf.values.scale import LinearScale

DBZ = LinearScale("dBZ", -10, 60)
VEHICLES = LinearScale("vehicles", 0, 200)


def result_of(*batches, scale=DBZ):
    errors = PhysicalErrors(scale)
    for truth, prediction in batches:
        errors.update(truth, prediction)
    return errors.result()


def two_frames(first, second):
    """One sequence with a horizon of 2 of frames 1 x 2."""
    return np.array([first, second], np.float32).reshape(1, 2, 1, 2, 1)


def test_errors_of_one_value_in_physical_units():
    truth = two_frames([0.5, 0.5], [0.5, 0.5])
    prediction = two_frames([0.5, 1.0], [0.5, 0.25])
    result = result_of((truth, prediction), scale=VEHICLES)
    assert result["sequences"] == 1
    assert result["per_frame"]["mae_vehicles"] == pytest.approx([100 / 2, 50 / 2])
    # Roots of (0 + 100^2) / 2 and (0 + 50^2) / 2.
    assert result["per_frame"]["rmse_vehicles"] == pytest.approx([70.7106781, 35.3553391])
    assert result["mean"]["mae_vehicles"] == pytest.approx(37.5)
    # Root of (100^2 + 50^2) / 4, not the mean 53.03 of the two roots.
    assert result["mean"]["rmse_vehicles"] == pytest.approx(55.9016994)


def test_predictions_are_not_clipped():
    truth, prediction = two_frames([1, 1], [0, 0]), two_frames([1.5, 1.5], [-0.5, -0.5])
    mean = result_of((truth, prediction))["mean"]
    assert mean == pytest.approx({"mae_dBZ": 35, "rmse_dBZ": 35})


def test_missing_values_are_left_out():
    truth = two_frames([np.nan, 0], [np.nan, np.nan])
    prediction = two_frames([1, 0.5], [1, 1])
    result = result_of((truth, prediction))
    assert result["per_frame"] == {"mae_dBZ": [35, None], "rmse_dBZ": [35, None]}
    assert result["mean"] == {"mae_dBZ": 35, "rmse_dBZ": 35}


def test_every_value_counts_the_same_however_batches_are_cut():
    generator = np.random.default_rng(0)
    truth = generator.random((5, 3, 4, 6, 2), np.float32)
    prediction = generator.uniform(-0.5, 1.5, truth.shape).astype(np.float32)
    truth[generator.random(truth.shape) < 0.3] = np.nan
    result = result_of((truth[:2], prediction[:2]), (truth[2:], prediction[2:]))
    difference = DBZ.to_physical(prediction).astype(float) - DBZ.to_physical(truth)
    others = 0, 2, 3, 4
    expected = {
        "mae_dBZ": np.nanmean(np.abs(difference), axis=others),
        "rmse_dBZ": np.sqrt(np.nanmean(difference**2, axis=others)),
    }
    for name, values in expected.items():
        assert result["per_frame"][name] == pytest.approx(list(values), rel=1e-5)
    assert result["mean"]["mae_dBZ"] == pytest.approx(np.nanmean(np.abs(difference)), rel=1e-5)
    assert result["mean"]["rmse_dBZ"] == pytest.approx(np.nanmean(difference**2) ** 0.5, rel=1e-5)
    assert result["sequences"] == 5


def test_result_is_json_types():
    frames = two_frames([0, 1], [0.5, 1])
    result = result_of((frames, frames))
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result["mean"] == {"mae_dBZ": 0, "rmse_dBZ": 0}


@pytest.mark.parametrize("shape", [(1, 3, 8, 8, 1), (1, 2, 8, 8), (2, 2, 8, 8, 1)])
def test_shapes_that_do_not_match_are_refused(shape):
    with pytest.raises(MimError, match=r"one shape \[B, horizon, H, W, C\]"):
        PhysicalErrors(DBZ).update(np.zeros((1, 2, 8, 8, 1)), np.zeros(shape))


def test_another_horizon_is_refused():
    errors = PhysicalErrors(DBZ)
    errors.update(*np.zeros((2, 1, 2, 4, 4, 1)))
    with pytest.raises(MimError, match="2 frames so far, received 1"):
        errors.update(*np.zeros((2, 1, 1, 4, 4, 1)))


@pytest.mark.parametrize("value", [30.0, -0.1, np.inf])
def test_a_truth_outside_0_to_1_is_refused(value):
    with pytest.raises(MimError, match=r"truth in \[0, 1\]"):
        PhysicalErrors(DBZ).update(two_frames([0, value], [0, 0]), two_frames([0, 0], [0, 0]))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_prediction_that_is_not_finite_is_refused(value):
    with pytest.raises(MimError, match=r"finite predictions.*diverged"):
        PhysicalErrors(DBZ).update(two_frames([0, 0], [0, 0]), two_frames([0, value], [0, 0]))


def test_no_sequences_have_no_errors():
    with pytest.raises(MimError, match="at least one sequence"):
        PhysicalErrors(DBZ).result()


def test_channels_of_their_own_units_have_scores_of_their_own():
    scale = LinearScale(
        ("K", "m s-1"), (280.0, 0.0), (290.0, 2.0), clipped=False, names=("t2m", "u10")
    )
    truth = np.zeros((1, 1, 1, 2, 2), np.float32)
    prediction = truth + np.float32([3, -0.5])
    truth[0, 0, 0, 0, 1] = np.nan
    assert result_of((truth, prediction), scale=scale)["mean"] == {
        "mae_t2m_K": 30,
        "rmse_t2m_K": 30,
        "mae_u10_m_s-1": 1,
        "rmse_u10_m_s-1": 1,
    }
