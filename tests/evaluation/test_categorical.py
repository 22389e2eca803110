import json
import math
from fractions import Fraction

import numpy as np
import pytest

from mim_tf.data.files.arrays import from_uint8
from mim_tf.errors import MimError
from mim_tf.evaluation.events import EVENT_RULES, CategoricalScores, EventRule
from mim_tf.values.scale import LinearScale

DBZ = LinearScale("dBZ", 0, 70)
NAMES = ["CSI", "POD", "FAR", "BIAS", "HSS"]


def result_of(*batches, scale=DBZ, thresholds=(30,), rule=None):
    scores = CategoricalScores(scale, thresholds, rule)
    for truth, prediction in batches:
        scores.update(truth, prediction)
    return scores.result()


def frames(*rows):
    """One sequence with a horizon of as many frames as rows, 1 pixel high, of values in dBZ."""
    return DBZ.to_unit(rows)[None, :, None, :, None]


def means(truth, prediction):
    mean = result_of((truth, prediction))["mean"]
    return [mean[f"{name}_30"] for name in NAMES]


def test_scores_of_a_contingency_table():
    # 2 hits, 1 miss, 3 false alarms, 4 correct negatives.
    truth = frames([35, 70, 31, 0, 0, 29, 0, 10, 20, 29])
    prediction = frames([60, 31, 29, 31, 40, 50, 0, 0, 29, 10])
    csi, pod, far, bias, hss = means(truth, prediction)
    assert csi == pytest.approx(2 / 6)
    assert pod == pytest.approx(2 / 3)
    assert far == pytest.approx(3 / 5)
    assert bias == pytest.approx(5 / 3)
    # 2 (2 * 4 - 3 * 1) / (3 * 5 + 5 * 7)
    assert hss == pytest.approx(10 / 50)


@pytest.mark.parametrize(
    ("truth", "prediction", "expected"),
    [
        # No rain, none predicted; no rain, some predicted; all missed.
        ([0, 10], [0, 29], [None, None, None, None, None]),
        ([0, 10], [0, 40], [0, None, 1, None, 0]),
        ([0, 40], [0, 29], [0, 0, None, 0, 0]),
        # Perfect; rain everywhere, which chance predicts as well.
        ([0, 40], [10, 50], [1, 1, 0, 1, 1]),
        ([40, 40], [50, 50], [1, 1, 0, 1, None]),
        ([0, 40], [40, 0], [0, 0, 1, 1, -1]),
    ],
)
def test_scores_without_rain_and_at_the_ends(truth, prediction, expected):
    assert means(frames(truth), frames(prediction)) == expected


def test_mean_is_over_lead_times_with_a_score():
    truth = frames([40, 40, 0, 0], [40, 0, 0, 0], [0, 0, 0, 0])
    prediction = frames([40, 0, 0, 0], [40, 0, 0, 0], [0, 0, 0, 0])
    result = result_of((truth, prediction))
    assert result["per_frame"]["CSI_30"] == [0.5, 1, None]
    # The score of all counts together would be 2 / 3.
    assert result["mean"]["CSI_30"] == 0.75


def test_counts_of_all_sequences_are_added_before_scores_are_computed():
    rain, dry = frames([40, 40, 40, 40]), frames([0, 0, 0, 0])
    half = frames([40, 40, 40, 0])
    result = result_of((rain, half), (np.concatenate([dry, dry]), np.concatenate([dry, half])))
    assert result["sequences"] == 3
    # 3 hits, 1 miss, 3 false alarms; the mean of the sequences' scores would be another.
    assert result["mean"]["CSI_30"] == pytest.approx(3 / 7)
    assert result["mean"]["FAR_30"] == pytest.approx(3 / 6)


def test_missing_values_are_not_counted():
    truth, prediction = frames([40, 40, 0, 0]), frames([40, 0, 40, 0])
    longer = frames([40, 40, 0, 0, 0, 0]), frames([40, 0, 40, 0, 40, 0])
    longer[0][..., 4:, :] = np.nan
    assert result_of(longer) == result_of((truth, prediction))
    truth[:] = np.nan
    assert means(truth, prediction) == [None] * 5


@pytest.mark.parametrize("threshold", [30, 40, 50])
@pytest.mark.parametrize(
    "to_unit",
    [
        DBZ.to_unit,
        lambda dbz: DBZ.to_unit(dbz.astype(np.float16)),
        lambda dbz: dbz / 70,
        lambda dbz: dbz.astype(np.float32) * np.float32(1 / 70),
        lambda dbz: np.float32(1 / 7) * dbz.astype(np.float32) / 10,
    ],
)
def test_exactly_the_threshold_is_no_event(threshold, to_unit):
    # A sixteenth, because half precision has no smaller steps there.
    values = np.array([threshold, threshold + 1 / 16])
    truth = to_unit(values).astype(np.float32)[None, None, None, :, None]
    result = result_of((truth, np.ones_like(truth)), thresholds=(threshold,))
    assert result["mean"][f"FAR_{threshold}"] == 0.5


@pytest.mark.parametrize(
    ("low", "high"), [(0, 70), (0, 75), (-10, 60), (-32, "95.5"), ("29.7", "55.2"), ("0.3", "76.8")]
)
def test_levels_exceed_a_threshold_where_exact_arithmetic_says_so(low, high):
    scale = LinearScale("dBZ", float(low), float(high))
    levels = np.arange(256, dtype=np.uint8)
    truth = from_uint8(levels)[None, None, None, :, None]
    low, high = Fraction(low), Fraction(high)
    for threshold in (30, 40, 50):
        expected = sum(low + (high - low) * level / 255 > threshold for level in range(256))
        result = result_of((truth, np.ones_like(truth)), scale=scale, thresholds=(threshold,))
        # Everything is predicted, so that hits are the levels above the threshold.
        assert 1 - result["mean"][f"FAR_{threshold}"] == pytest.approx(expected / 256)


@pytest.mark.parametrize("threshold", [0.5, 30, 40])
def test_an_inclusive_rule_makes_the_threshold_itself_an_event(threshold):
    truth = frames([threshold, threshold - 0.01, threshold + 0.01])
    everything = np.ones_like(truth)
    for rule, events in ((EventRule(inclusive=True), 2), (EventRule(), 1)):
        result = result_of((truth, everything), thresholds=(threshold,), rule=rule)
        assert 1 - result["mean"][f"FAR_{threshold}"] == pytest.approx(events / 3)


def test_levels_reach_a_threshold_of_sevir():
    scale = LinearScale("level", 0, 255)
    truth = from_uint8(np.arange(256, dtype=np.uint8))[None, None, None, :, None]
    for threshold in (16, 74, 133, 160, 181, 219):
        pair = truth, np.ones_like(truth)
        result = result_of(pair, scale=scale, thresholds=(threshold,), rule=EVENT_RULES["sevir"])
        assert 1 - result["mean"][f"FAR_{threshold}"] == pytest.approx((256 - threshold) / 256)


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
    truth = rng.uniform(0, 70, (2, 1, 10, 13, 1)).astype(np.float32) / 70
    prediction = rng.uniform(0, 70, truth.shape).astype(np.float32) / 70
    truth[rng.random(truth.shape) < 0.3] = np.nan
    truth[0, 0, :4, :4] = np.nan
    result = result_of((truth, prediction), rule=EventRule(pools=(4, 16)), thresholds=(55,))
    hits = others = 0
    for n in range(2):
        for row in (0, 4):
            for column in (0, 4, 8):
                square = n, 0, slice(row, row + 4), slice(column, column + 4), 0
                known = ~np.isnan(truth[square])
                if known.any():
                    pair = (truth[square][known].max(), prediction[square][known].max())
                    events = [value > 55 / 70 for value in pair]
                    hits += all(events)
                    others += any(events) and not all(events)
    assert others
    assert result["mean"]["CSI_pool4_55"] == pytest.approx(hits / (hits + others))
    assert result["mean"]["CSI_pool16_55"] is None  # no square of 16 pixels fits
    assert "POD_pool4_55" not in result["mean"]


def independent_scores(truth, prediction, threshold):
    """Scores of values in dBZ, counted one by one, from other forms of the definitions."""
    pairs = [
        (bool(t > threshold), bool(p > threshold))
        for t, p in zip(truth.ravel().tolist(), prediction.ravel().tolist(), strict=True)
        if not math.isnan(t)
    ]
    observed = sum(t for t, _ in pairs)
    predicted = sum(p for _, p in pairs)
    hits = pairs.count((True, True))
    correct = Fraction(sum(t == p for t, p in pairs), len(pairs))
    # Of a forecast without skill that predicts as many events at random.
    chance = Fraction(
        observed * predicted + (len(pairs) - observed) * (len(pairs) - predicted), len(pairs) ** 2
    )
    return {
        "CSI": Fraction(hits, observed + predicted - hits),
        "POD": Fraction(hits, observed),
        "FAR": 1 - Fraction(hits, predicted),
        "BIAS": Fraction(predicted, observed),
        "HSS": (correct - chance) / (1 - chance),
    }


@pytest.mark.parametrize("missing", [0, 0.2])
def test_scores_equal_those_of_an_independent_implementation(missing):
    # Written from the definitions in Wilks, "Statistical Methods in the Atmospheric Sciences".
    generator = np.random.default_rng(0)
    truth = generator.uniform(0, 70, (4, 2, 8, 9, 1)).astype(np.float32)
    prediction = (truth + generator.normal(0, 15, truth.shape)).astype(np.float32)
    truth[generator.random(truth.shape) < missing] = np.nan
    thresholds = (20, 30.5, 50)
    unit = DBZ.to_unit(truth), prediction / 70
    result = result_of(
        [part[:3] for part in unit], [part[3:] for part in unit], thresholds=thresholds
    )
    assert list(result["per_frame"]) == [
        f"{name}_{t}" for name in NAMES for t in ("20", "30.5", "50")
    ]
    for threshold in thresholds:
        for frame in range(2):
            expected = independent_scores(truth[:, frame], prediction[:, frame], threshold)
            for name, score in expected.items():
                got = result["per_frame"][f"{name}_{threshold}"][frame]
                assert got == pytest.approx(float(score), rel=1e-12)


def test_predictions_outside_0_to_1_are_events_or_not_like_their_bounds():
    truth = frames([40, 0, 0])
    prediction = np.array([7.5, -3, 0.1], np.float32)[None, None, None, :, None]
    assert means(truth, prediction) == [1, 1, 0, 1, 1]


def test_result_is_json_types():
    result = result_of((frames([0, 40]), frames([0, 40])), thresholds=(30, 40, 50))
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert list(result["mean"])[:4] == ["CSI_30", "CSI_40", "CSI_50", "POD_30"]


@pytest.mark.parametrize("thresholds", [(30, 80), (70,), (-1,), (math.nan,), ()])
def test_thresholds_that_divide_nothing_are_refused(thresholds):
    with pytest.raises(MimError, match=r"thresholds from 0 to below 70 dBZ.*dbz_max"):
        CategoricalScores(DBZ, thresholds)
    assert CategoricalScores(DBZ, (0, 69.9))


def test_a_threshold_that_every_value_reaches_is_refused():
    level = LinearScale("level", 0.0, 255.0)
    with pytest.raises(MimError, match=r"thresholds above 0 level, which every value"):
        CategoricalScores(level, (0.0, 16.0), EVENT_RULES["sevir"])
    CategoricalScores(level, (0.0, 16.0))
    unbounded = LinearScale("level", 0.0, 255.0, clipped=False)
    CategoricalScores(unbounded, (0.0, 16.0), EVENT_RULES["sevir"])


def test_bad_batches_are_refused():
    scores = CategoricalScores(DBZ, (30,))
    with pytest.raises(MimError, match="at least one sequence"):
        scores.result()
    scores.update(frames([0], [0]), frames([0], [0]))
    with pytest.raises(MimError, match="2 frames so far, received 1"):
        scores.update(frames([0]), frames([0]))
    with pytest.raises(MimError, match="one shape"):
        scores.update(frames([0], [0]), frames([0, 0], [0, 0]))
    with pytest.raises(MimError, match="finite"):
        scores.update(frames([0], [0]), frames([0], [np.nan]))
