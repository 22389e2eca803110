import sys

import numpy as np
import pytest
import xarray as xr

from mim_tf.data.files.arrays import ArraySource
from mim_tf.errors import MimError
from mim_tf.evaluation.events import EventRule, FractionsSkillScores
from mim_tf.evaluation.score_set import scores_for
from mim_tf.values.scale import LinearScale

DBZ = LinearScale("dBZ", 0, 70)


def frames(shape=(3, 2, 9, 11, 1)):
    rng = np.random.default_rng(0)
    return rng.random(shape, np.float32), rng.random(shape, np.float32)


def result_of(truth, prediction, *windows, threshold=40):
    scores = FractionsSkillScores(DBZ, (threshold,), EventRule(windows=windows))
    scores.update(truth, prediction)
    return scores.result()


def counted(truth, prediction, side, threshold):
    """From the definition, window by window."""
    difference = total = 0
    for t, p in zip(truth, prediction, strict=True):
        for row in range(t.shape[0] - side + 1):
            for column in range(t.shape[1] - side + 1):
                window = slice(row, row + side), slice(column, column + side)
                o, f = ((part[window] * 70 > threshold).mean() for part in (t, p))
                difference += (f - o) ** 2
                total += f**2 + o**2
    return 1 - difference / total


@pytest.mark.parametrize("side", [1, 3, 4, 9])
def test_fss_equals_an_independent_count(side):
    truth, prediction = frames()
    result = result_of(truth, prediction, side)
    for frame in range(2):
        expected = counted(truth[:, frame, ..., 0], prediction[:, frame, ..., 0], side, 40)
        assert result["per_frame"][f"FSS_window{side}_40"][frame] == pytest.approx(expected)


def test_fss_equals_that_of_the_public_function_of_scores():
    from scores.spatial import fss_2d

    truth, prediction = frames()
    first, second = (
        xr.DataArray(part[:, 0, ..., 0] * 70, dims=("n", "y", "x")) for part in (prediction, truth)
    )
    expected = fss_2d(
        first, second, event_threshold=40, window_size=(4, 4), spatial_dims=("y", "x")
    )
    result = result_of(truth, prediction, 4)
    assert result["per_frame"]["FSS_window4_40"][0] == pytest.approx(float(expected))


def test_fss_without_events_without_room_and_with_gaps():
    truth, prediction = frames()
    assert result_of(truth, prediction, 12)["mean"] == {"FSS_window12_40": None}
    low = truth / 2
    assert result_of(low, low, 3)["mean"] == {"FSS_window3_40": None}
    assert result_of(truth, low, 3)["mean"] == {"FSS_window3_40": 0}
    gappy, filled = truth.copy(), truth.copy()
    gappy[:, :, :3], filled[:, :, :3] = np.nan, 0
    nothing = prediction.copy()
    nothing[:, :, :3] = 0
    assert result_of(gappy, prediction, 3) == result_of(filled, nothing, 3)


def test_the_protocol_of_pysteps_has_it_and_says_if_scores_is_missing(monkeypatch):
    truth, prediction = frames((2, 2, 16, 16, 1))
    source = ArraySource(truth)
    source.scale, source.thresholds = DBZ, (30.0,)
    scores = scores_for(source, "pysteps")
    scores.update(truth, prediction)
    assert {"mse", "rmse", "FSS_window4_30", "FSS_window16_30"} <= set(scores.result()["mean"])
    for name in [name for name in sys.modules if name.partition(".")[0] == "scores"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "scores", None)
    with pytest.raises(MimError, match=r"package scores is needed.*pip install 'mim_tf\[scores\]'"):
        scores_for(source, "pysteps")
    assert scores_for(source, "sevir")
