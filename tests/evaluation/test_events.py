"""Scores of events against values worked out by hand and against other implementations."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import xarray as xr

from mim_tf.data.files.arrays import ArraySource, from_levels
from mim_tf.data.sets.hko7 import DBZ as HKO7_DBZ
from mim_tf.data.sets.hko7 import RAIN
from mim_tf.errors import MimError
from mim_tf.evaluation.events import (
    EVENT_RULES,
    BalancedErrors,
    CategoricalScores,
    EventRule,
    FractionsSkillScores,
)
from mim_tf.evaluation.protocols import scores_for
from mim_tf.evaluation.statistics import Scores
from mim_tf.values.scale import LinearScale

DBZ = LinearScale("dBZ", 0, 70)
LEVEL = LinearScale("level", 0, 255)
NAMES = {  # of scores, here and in the package `scores`
    "CSI": "critical_success_index",
    "POD": "probability_of_detection",
    "FAR": "false_alarm_ratio",
    "BIAS": "frequency_bias",
    "HSS": "heidke_skill_score",
}


def result_of(*batches, scale=DBZ, thresholds=(30,), rule=None, kind=CategoricalScores):
    scores = Scores(kind(scale, thresholds, rule))
    for truth, prediction in batches:
        scores.update(truth, prediction)
    return scores.result()


def frames(*rows):
    """One sequence with a horizon of as many frames as rows, 1 pixel high, of values in dBZ."""
    return DBZ.to_unit(rows)[None, :, None, :, None]


@pytest.mark.parametrize(
    ("truth", "prediction", "expected"),
    [
        # 2 hits, 1 miss, 3 false alarms, 4 correct negatives.
        # HSS: 2 (2 * 4 - 3 * 1) / (3 * 5 + 5 * 7)
        (
            [35, 70, 31, 0, 0, 29, 0, 10, 20, 29],
            [60, 31, 29, 31, 40, 50, 0, 0, 29, 10],
            [2 / 6, 2 / 3, 3 / 5, 5 / 3, 10 / 50],
        ),
        # No rain, none predicted; no rain, some predicted; all missed.
        ([0, 10], [0, 29], [None, None, None, None, None]),
        ([0, 10], [0, 40], [0, None, 1, None, 0]),
        ([0, 40], [0, 29], [0, 0, None, 0, 0]),
        # Perfect; rain everywhere, which chance predicts as well.
        ([0, 40], [10, 50], [1, 1, 0, 1, 1]),
        ([40, 40], [50, 50], [1, 1, 0, 1, None]),
        ([0, 40], [40, 0], [0, 0, 1, 1, -1]),
        ([np.nan, np.nan], [0, 40], [None, None, None, None, None]),
    ],
)
def test_scores_of_a_contingency_table(truth, prediction, expected):
    mean = result_of((frames(truth), frames(prediction)))["mean"]
    assert [mean[f"{name}_30"] for name in NAMES] == pytest.approx(expected)


def test_mean_is_over_lead_times_with_a_score():
    truth = frames([40, 40, 0, 0], [40, 0, 0, 0], [0, 0, 0, 0])
    prediction = frames([40, 0, 0, 0], [40, 0, 0, 0], [0, 0, 0, 0])
    result = result_of((truth, prediction))
    assert result["per_frame"]["CSI_30"] == [0.5, 1, None]
    # The score of all counts together would be 2 / 3.
    assert result["mean"]["CSI_30"] == 0.75


@pytest.mark.parametrize("threshold", [30, 40, 50])
@pytest.mark.parametrize(
    "to_unit",
    [
        lambda dbz: DBZ.to_unit(dbz.astype(np.float16)),
        lambda dbz: dbz / 70,
        lambda dbz: np.float32(1 / 7) * dbz.astype(np.float32) / 10,
    ],
)
def test_exactly_the_threshold_is_an_event_if_the_rule_is_inclusive(threshold, to_unit):
    # A sixteenth, because half precision has no smaller steps there.
    values = np.array([threshold, threshold + 1 / 16, threshold - 1 / 16])
    truth = to_unit(values).astype(np.float32)[None, None, None, :, None]
    for rule, events in ((EventRule(inclusive=True), 2), (EventRule(), 1)):
        result = result_of((truth, np.ones_like(truth)), thresholds=(threshold,), rule=rule)
        assert 1 - result["mean"][f"FAR_{threshold}"] == pytest.approx(events / 3)


@pytest.mark.parametrize(
    ("low", "high", "thresholds", "rule"),
    [
        *((low, high, (30, 40, 50), EventRule()) for low, high in ((0, 70), (-32, "95.5"))),
        ("0.3", "76.8", (30, 40, 50), EventRule()),
        (0, 255, (16, 74, 133, 160, 181, 219), EVENT_RULES["sevir"]),
    ],
)
def test_levels_exceed_a_threshold_where_exact_arithmetic_says_so(low, high, thresholds, rule):
    scale = LinearScale("dBZ", float(low), float(high))
    truth = from_levels(np.arange(256, dtype=np.uint8))[None, None, None, :, None]
    # Everything is predicted, so that hits are the levels above the threshold.
    pair, low, high = (truth, np.ones_like(truth)), Fraction(low), Fraction(high)
    for threshold in thresholds:
        values = [low + (high - low) * level / 255 for level in range(256)]
        expected = sum(v > threshold or (rule.inclusive and v == threshold) for v in values)
        result = result_of(pair, scale=scale, thresholds=(threshold,), rule=rule)
        assert 1 - result["mean"][f"FAR_{threshold}"] == pytest.approx(expected / 256)


@pytest.mark.parametrize("threshold", [1e-6, 0, 3e-5, -2e-6, 101_000])
@pytest.mark.parametrize("inclusive", [True, False])
def test_thresholds_of_any_size_on_a_scale_that_is_not_clipped(threshold, inclusive):
    """Such as rain in kg m-2 s-1, for which 1e-6 is no rounding."""
    scale = LinearScale("kg m-2 s-1", 0, 1, clipped=False)
    values = threshold + max(1e-5 * abs(threshold), 1e-9) * np.array([-1, 0, 1])
    truth = scale.to_unit(values)[None, None, None, :, None]
    rule = EventRule(inclusive=inclusive)
    scores = Scores(CategoricalScores(scale, (threshold,), rule), scale=scale)
    scores.update(truth, np.full_like(truth, 1e6))
    csi, *_ = scores.result()["mean"].values()
    assert csi == pytest.approx((1 + inclusive) / 3)


def test_mean_of_counts_is_over_all_frames_and_then_over_thresholds():
    truth = frames([60, 40, 0, 0], [40, 0, 0, 0], [0, 0, 0, 0])
    prediction = frames([60, 0, 0, 0], [40, 0, 0, 40], [0, 0, 0, 0])
    rule = EventRule(mean_of_counts=True)
    result = result_of((truth, prediction), thresholds=(30, 50, 65), rule=rule)
    # 30 dBZ: 2 hits, 1 miss, 1 false alarm; 50 dBZ: a hit; above 65 dBZ there is nothing.
    assert result["mean"]["CSI_30"] == pytest.approx(2 / 4)
    assert result["mean"]["CSI_50"] == 1
    assert result["mean"]["CSI_65"] is None
    assert result["mean"]["CSI"] == pytest.approx(3 / 4)
    assert result["per_frame"]["CSI"] == [pytest.approx((1 / 2 + 1) / 2), 0.5, None]


def test_pooled_csi_is_that_of_the_maxima_of_squares():
    rng = np.random.default_rng(0)
    truth, prediction = rng.random((2, 2, 1, 10, 13, 1), np.float32)
    truth[rng.random(truth.shape) < 0.3] = np.nan
    truth[0, 0, :4, :4] = np.nan
    result = result_of((truth, prediction), rule=EventRule(pools=(4, 16)), thresholds=(55,))
    hits = others = 0
    for n, row, column in itertools.product((0, 1), (0, 4), (0, 4, 8)):
        square = n, 0, slice(row, row + 4), slice(column, column + 4), 0
        known = ~np.isnan(truth[square])
        if known.any():
            events = [part[square][known].max() > 55 / 70 for part in (truth, prediction)]
            hits += all(events)
            others += any(events) and not all(events)
    assert others
    assert result["mean"]["CSI_pool4_55"] == pytest.approx(hits / (hits + others))
    assert result["mean"]["CSI_pool16_55"] is None  # no square of 16 pixels fits
    assert "POD_pool4_55" not in result["mean"]


@pytest.mark.parametrize("missing", [0, 0.2])
def test_scores_equal_those_of_the_package_scores(missing):
    manager = pytest.importorskip("scores.categorical").BinaryContingencyManager
    generator = np.random.default_rng(0)
    truth = generator.uniform(0, 70, (4, 2, 8, 9, 1)).astype(np.float32)
    prediction = (truth + generator.normal(0, 15, truth.shape)).astype(np.float32)
    truth[generator.random(truth.shape) < missing] = np.nan
    thresholds = (20, 30.5, 50)
    unit = DBZ.to_unit(truth), prediction / 70
    halves = [part[:3] for part in unit], [part[3:] for part in unit]
    result = result_of(*halves, thresholds=thresholds)
    assert list(result["mean"]) == [f"{name}_{t}" for name in NAMES for t in ("20", "30.5", "50")]
    for threshold in thresholds:
        events = [
            xr.DataArray(np.where(np.isnan(truth), np.nan, part > threshold), dims=list("nthwc"))
            for part in (prediction, truth)
        ]
        table = manager(*events).transform(preserve_dims="t")
        for name, of_package in NAMES.items():
            expected = getattr(table, of_package)().values
            assert result["per_frame"][f"{name}_{threshold}"] == pytest.approx(list(expected))


@pytest.mark.parametrize(
    ("scale", "thresholds", "rule", "named"),
    [
        *((DBZ, values, None, "dbz_max") for values in ((30, 80), (70,), (-1,), (math.nan,), ())),
        (LEVEL, (0.0, 16.0), EVENT_RULES["sevir"], "--thresholds"),  # which every value reaches
    ],
)
def test_thresholds_that_divide_nothing_are_refused(scale, thresholds, rule, named):
    with pytest.raises(MimError, match=named):
        CategoricalScores(scale, thresholds, rule)
    assert CategoricalScores(DBZ, (0, 69.9))
    unbounded = LinearScale("level", 0.0, 255.0, clipped=False)
    CategoricalScores(unbounded, (0.0, 16.0), EVENT_RULES["sevir"])


def noise(shape=(3, 2, 9, 11, 1)):
    return np.random.default_rng(0).random((2, *shape), np.float32)


def fss_of(truth, prediction, *windows):
    rule = EventRule(windows=windows)
    return result_of((truth, prediction), thresholds=(40,), rule=rule, kind=FractionsSkillScores)


@pytest.mark.parametrize("side", [1, 4, 9])
def test_fss_equals_that_of_the_package_scores(side):
    fss_2d = pytest.importorskip("scores.spatial").fss_2d
    truth, prediction = noise()
    result = fss_of(truth, prediction, side)["per_frame"][f"FSS_window{side}_40"]
    for frame in range(2):
        fields = [
            xr.DataArray(part[:, frame, ..., 0] * 70, dims=("n", "y", "x"))
            for part in (prediction, truth)
        ]
        expected = fss_2d(
            *fields, event_threshold=40, window_size=(side, side), spatial_dims=("y", "x")
        )
        assert result[frame] == pytest.approx(float(expected))


def test_fss_without_events_without_room_and_with_gaps():
    truth, prediction = noise()
    for side in (10, 11, 12):
        assert fss_of(truth, prediction, side)["mean"] == {f"FSS_window{side}_40": None}
    low = truth / 2
    assert fss_of(low, low, 3)["mean"] == {"FSS_window3_40": None}
    assert fss_of(truth, low, 3)["mean"] == {"FSS_window3_40": 0}
    gappy, filled = truth.copy(), truth.copy()
    gappy[:, :, :3], filled[:, :, :3] = np.nan, 0
    nothing = prediction.copy()
    nothing[:, :, :3] = 0
    assert fss_of(gappy, prediction, 3) == fss_of(filled, nothing, 3)


def test_heavy_rain_counts_more_missing_values_nothing_and_sequences_are_averaged():
    rates = np.array([[0.1, 1.99, 2.01, 4.9, 5.1, 10.1, 29, 30.1], [40] * 4 + [np.nan] * 4])
    truth = RAIN.to_unit(rates).reshape(2, 1, 2, 4, 1)
    weights = (1 + 1 + 2 + 2 + 5 + 10 + 10 + 30 + 4 * 30) / 2
    scores = Scores(BalancedErrors(RAIN))
    scores.update(truth, np.nan_to_num(truth) + np.float32(0.1))
    assert scores.result()["mean"] == {
        "B-MSE": pytest.approx(weights * 0.01, rel=1e-5),
        "B-MAE": pytest.approx(weights * 0.1, rel=1e-5),
    }


@pytest.mark.parametrize(
    ("protocol", "own"), [("hko7", "B-MSE"), ("sevir", "CSI_pool4"), ("pysteps", "FSS_window4_5")]
)
def test_protocols_have_scores_of_their_own(protocol, own):
    source = ArraySource(np.zeros((1, 1, 8, 8, 1), np.float32))
    source.scale, source.thresholds, source.threshold_scale = HKO7_DBZ, (5.0,), RAIN
    scores = scores_for(source, protocol)
    scores.update(source.sequences([0]), source.sequences([0]))
    names = set(scores.result()["mean"])
    assert {"mse", "CSI_5", "power_ratio"} <= names
    assert names & {"B-MSE", "CSI_pool4", "FSS_window4_5"} == {own}
