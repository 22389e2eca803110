"""Scores over sequences: batches, single sequences, and intervals whose truth is known."""

import numpy as np
import pytest
from scipy import signal, stats

from mim_tf.data.scale_fit import ScaledSource
from mim_tf.data.sets.hko7 import RAIN
from mim_tf.data.source import WindowSource
from mim_tf.data.split import Selection
from mim_tf.errors import MimError
from mim_tf.evaluation import statistics
from mim_tf.evaluation.errors import PixelErrors, unit_errors
from mim_tf.evaluation.events import (
    BalancedErrors,
    CategoricalScores,
    EventRule,
    FractionsSkillScores,
)
from mim_tf.evaluation.fields import FieldScores, PowerSpectra
from mim_tf.evaluation.protocols import FrameScores, scores_for
from mim_tf.evaluation.statistics import Scores, groups_with
from mim_tf.evaluation.stored import basis
from mim_tf.values.scale import LinearScale
from tests.small_sources import Frames

DBZ = LinearScale("dBZ", 0, 70)
CLIMATOLOGY = np.full((9, 11, 2), 0.5, np.float32)
KINDS = {
    "mim2019": FrameScores("mim2019"),
    "openstl": FrameScores("openstl"),
    "per_pixel": PixelErrors(),
    "physical": unit_errors(DBZ)[0],
    "converted": PixelErrors(RAIN.unit, RAIN.to_physical),
    "balanced": BalancedErrors(RAIN),
    "categorical": CategoricalScores(DBZ, (20, 40)),
    "pooled": CategoricalScores(DBZ, (20, 40), EventRule(True, True, (4,))),
    "fss": FractionsSkillScores(DBZ, (20, 40), EventRule(windows=(3,))),
    "fields": FieldScores(np.linspace(80, 0, 9), CLIMATOLOGY, DBZ, ("a", "b")),
    "spectra": PowerSpectra(),
}


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


def frames(sequences=7, shape=(3, 9, 11, 2), missing=0.1):
    generator = np.random.default_rng(0)
    truth = generator.random((sequences, *shape), np.float32)
    prediction = (truth + generator.normal(0, 0.2, truth.shape)).astype(np.float32)
    truth[generator.random(truth.shape) < missing] = np.nan
    return truth, prediction


def scored(kind, truth, prediction, *cuts):
    scores = Scores(kind)
    for part in zip(np.split(truth, cuts), np.split(prediction, cuts), strict=True):
        scores.update(*part)
    return scores


def test_batches_of_any_size_give_exactly_the_same(kind):
    pair = frames()
    whole = scored(kind, *pair)
    for cuts in ((3,), (1, 2, 3, 4, 5, 6)):
        cut = scored(kind, *pair, *cuts)
        assert cut.result() == whole.result()
        assert cut.intervals() == whole.intervals()
        assert cut.details() == whole.details()
    # Above the 8192 values that NumPy converts at a time.
    pair = frames(3, (2, 96, 96, 1))
    for kind in (FrameScores(), PixelErrors()):
        assert scored(kind, *pair, 1, 2).result() == scored(kind, *pair).result()


def test_scores_of_a_sequence_are_those_it_has_alone(kind):
    truth, prediction = frames(5)
    values = scored(kind, truth, prediction).per_sequence()
    for i in range(5):
        alone = scored(kind, truth[i : i + 1], prediction[i : i + 1]).result()["mean"]
        assert {name: column[i] for name, column in values.items()} == pytest.approx(alone)


@pytest.mark.parametrize(
    ("truth", "prediction", "named"),
    [
        (np.zeros((1, 2, 8, 8, 1)), np.zeros((1, 3, 8, 8, 1)), "one shape"),
        (np.zeros((1, 2, 8, 8)), np.zeros((1, 2, 8, 8)), "one shape"),
        (np.full((1, 2, 8, 8, 1), 255), np.zeros((1, 2, 8, 8, 1)), r"\[0, 1\]"),
        (np.full((1, 2, 8, 8, 1), -0.1), np.zeros((1, 2, 8, 8, 1)), r"\[0, 1\]"),
        (np.full((1, 2, 8, 8, 1), np.inf), np.zeros((1, 2, 8, 8, 1)), r"\[0, 1\]"),
        (np.zeros((1, 2, 8, 8, 1)), np.full((1, 2, 8, 8, 1), np.inf), "frame 1 of 2 .sequence 4"),
    ],
)
def test_bad_batches_are_refused(truth, prediction, named):
    scores = Scores(PixelErrors())
    scores.update(*np.zeros((2, 3, 2, 8, 8, 1)))
    with pytest.raises(MimError, match=named):
        scores.update(truth, prediction)


def test_one_group_and_an_undefined_score_have_no_interval(kind):
    assert set(scored(kind, *frames(1)).intervals().values()) == {None}
    assert set(scored(kind, *frames(3)).intervals([5, 5, 5]).values()) == {None}
    scores = scored(FrameScores(), *frames(3, (2, 6, 6, 1)))
    assert scores.intervals()["ssim_uint8"] is None
    assert scores.intervals()["mse"]


def test_an_interval_agrees_with_scipy():
    values = np.random.default_rng(3).gamma(2, size=60)
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    assert statistics.mean_interval(values) == pytest.approx([*expected], rel=0.03)
    assert statistics.mean_interval(np.full(5, 0.25)) == [0.25, 0.25]
    few = [1.0, 2.0, 4.0, 3.0]
    expected = stats.t.interval(0.95, 3, np.mean(few), stats.sem(few))
    assert statistics.mean_interval(np.array(few)) == pytest.approx([*expected], abs=0.15)
    assert statistics.mean_interval(np.ones(1)) is None


@pytest.mark.parametrize("size", [2, 3, 5, 9])
def test_intervals_of_few_groups_cover_the_mean_in_95_percent_of_cases(size):
    means = np.random.default_rng(0).normal(5, 1, (1000, size))
    ends = np.array([statistics.mean_interval(values) for values in means])
    assert 0.93 < np.mean((ends[:, 0] < 5) & (ends[:, 1] > 5)) < 0.97


FRAMES = 6
ROUGH = "the intervals are rough, and may reach beyond possible values."


def windows(*lengths, frames=FRAMES, **settings):
    recordings = [Frames(np.zeros((length, 1, 1, 1))) for length in lengths]
    return WindowSource(recordings, (1, 1, 1), frames, **settings)


def ar1(rng, length):
    noise = rng.normal(0, np.sqrt(1 - 0.9**2), length)
    noise[0] = rng.normal()
    return signal.lfilter([1], [1, -0.9], noise)


def covered(rng, *lengths):
    """Whether the interval of the MAE of windows of AR(1) errors around 5 holds 5."""
    source = windows(*lengths)
    errors = [ar1(rng, length) + 5 for length in lengths]
    prediction = np.stack(
        [errors[number][first : first + FRAMES] for number, first in source._starts]
    ).astype(np.float32)[..., None, None, None]
    scores = scores_for(source, "per_pixel")
    scores.update(np.zeros_like(prediction), prediction)
    low, high = scores.intervals(source.groups(range(source.size)))["mae"]
    return low <= 5 <= high


@pytest.mark.slow
@pytest.mark.parametrize("lengths", [(30,) * 12, (25, 40) * 15, (900,)])
def test_95_percent_intervals_cover_the_truth_in_95_percent_of_cases(lengths):
    rng = np.random.default_rng(0)
    share = np.mean([covered(rng, *lengths) for _ in range(200)])
    assert 0.9 <= share <= 0.99


def test_windows_of_a_recording_are_a_group():
    source = windows(*[8] * 10)
    assert source.groups(range(30)).tolist() == [number for number in range(10) for _ in range(3)]
    assert Selection(source, [0, 1, 29]).groups([2, 0]).tolist() == [9, 0]
    scaled = ScaledSource(source, LinearScale("K", 0, 1))
    assert scaled.groups([3, 2]).tolist() == [1, 0]


@pytest.mark.parametrize(("lengths", "settings"), [((500,), {}), ((90, 300), {"stride": 3})])
def test_few_recordings_are_divided_into_blocks_of_three_windows_at_least(lengths, settings):
    source = windows(*lengths, **settings)
    groups, starts = source.groups(range(source.size)), source._starts
    assert 10 <= len(set(groups)) <= 20
    for group in set(groups):
        (number,) = set(starts[groups == group, 0])
        firsts = starts[(starts[:, 0] == number), 1]
        own = starts[groups == group, 1]
        # To the first window of the next block, or to the end of the recording.
        after = firsts[firsts > own.max()]
        assert (after.min() if len(after) else own.max() + 1) - own.min() >= 3 * FRAMES - 2


def test_blocks_have_a_day_where_the_step_is_known():
    for step, blocks in (("", 15), ("1 hour", 11)):
        source = windows(24 * 12, frames=2)
        source.frame_step = step
        assert len(set(source.groups(range(source.size)))) == blocks


@pytest.mark.parametrize(
    ("recordings", "named", "words"),
    [
        (64, 0, "64 sequences."),
        (12, 12, "64 windows of 12 recordings."),
        (12, 1, "64 windows of 12 blocks of time."),
        (4, 4, f"64 windows of 4 recordings: {ROUGH}"),
        (1, 1, "64 windows of one recording: there are no intervals."),
    ],
)
def test_what_intervals_rest_on_is_said(recordings, named, words):
    data = {"recordings": ["a"] * named}
    assert basis({"sequences": 64, "recordings": recordings, "data": data}) == words
    assert "Evaluate again" in basis({"sequences": 64, "data": data})


def test_groups_without_a_defined_score_say_nothing():
    """A score that only one of twelve recordings has is not known to within any interval."""
    assert groups_with(np.repeat(np.arange(12), 2), np.array([0.75] + [np.nan] * 23)) == 1
    scores = Scores(CategoricalScores(DBZ, (20,)))
    truth = np.zeros((12, 1, 8, 8, 1), np.float32)
    truth[0, 0, :4] = 1
    scores.update(truth, np.roll(truth, 1, axis=2))
    assert scores.intervals()["CSI_20"] is None
