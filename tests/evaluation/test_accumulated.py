"""Scores that merge, of every kind."""

import numpy as np
import pytest

from mim_tf.errors import MimError
from mim_tf.evaluation.errors import PhysicalErrors, PixelErrors
from mim_tf.evaluation.events import CategoricalScores, EventRule, FractionsSkillScores
from mim_tf.evaluation.fields import FieldScores, PowerSpectra
from mim_tf.evaluation.protocols import FrameScores
from mim_tf.values.scale import LinearScale

DBZ = LinearScale("dBZ", 0, 70)
CLIMATOLOGY = np.full((9, 11, 2), 0.5, np.float32)
KINDS = {
    "mim2019": lambda: FrameScores("mim2019"),
    "openstl": lambda: FrameScores("openstl"),
    "per_pixel": PixelErrors,
    "physical": lambda: PhysicalErrors(DBZ),
    "categorical": lambda: CategoricalScores(DBZ, (20, 40)),
    "fss": lambda: FractionsSkillScores(DBZ, (20, 40), EventRule(windows=(3,))),
    "fields": lambda: FieldScores(np.linspace(80, 0, 9), CLIMATOLOGY, DBZ, ("a", "b")),
    "spectra": PowerSpectra,
    "pooled": lambda: CategoricalScores(DBZ, (20, 40), EventRule(True, True, (4,))),
}


@pytest.fixture(params=KINDS)
def empty(request):
    return KINDS[request.param]


def frames(sequences=7, shape=(3, 9, 11, 2), missing=0.1):
    generator = np.random.default_rng(0)
    truth = generator.random((sequences, *shape), np.float32)
    prediction = (truth + generator.normal(0, 0.2, truth.shape)).astype(np.float32)
    truth[generator.random(truth.shape) < missing] = np.nan
    return truth, prediction


def scored(empty, truth, prediction, *cuts):
    scores = empty()
    for part in zip(np.split(truth, cuts), np.split(prediction, cuts), strict=True):
        scores.update(*part)
    return scores


def merged(parts):
    first, *others = parts
    for other in others:
        first.merge(other)
    return first


def test_batches_of_any_size_give_exactly_the_same(empty):
    pair = frames()
    whole = scored(empty, *pair)
    for cuts in ((3,), (1, 2, 3, 4, 5, 6), (6,)):
        cut = scored(empty, *pair, *cuts)
        assert cut.result() == whole.result()
        assert cut.intervals() == whole.intervals()


def test_large_frames_give_exactly_the_same_too():
    # Above the 8192 values that NumPy converts at a time.
    pair = frames(3, (2, 96, 96, 1))
    for kind in (FrameScores, PixelErrors):
        assert scored(kind, *pair, 1, 2).result() == scored(kind, *pair).result()


def test_parts_merged_in_order_give_exactly_the_same_in_any_order_up_to_rounding(empty):
    truth, prediction = frames()
    whole = scored(empty, truth, prediction).result()

    def parts():
        return [scored(empty, truth[i:j], prediction[i:j]) for i, j in ((0, 2), (2, 3), (3, 7))]

    a, b, c = parts()
    assert merged([a, merged([b, c])]).result() == whole
    for order in ((2, 0, 1), (1, 2, 0)):
        result = merged([parts()[i] for i in order]).result()
        assert result["sequences"] == 7
        assert result["mean"] == pytest.approx(whole["mean"], rel=1e-12)


def test_merging_leaves_the_other_as_it_is(empty):
    truth, prediction = frames()
    first, second = (
        scored(empty, truth[:3], prediction[:3]),
        scored(empty, truth[3:], prediction[3:]),
    )
    before = second.result()
    first.merge(second)
    first.update(truth, prediction)
    assert second.result() == before


def test_scores_merge_into_empty_ones(empty):
    scores = scored(empty, *frames())
    assert merged([empty(), scores]).result() == scores.result()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (FrameScores("mim2019"), FrameScores("openstl")),
        (PixelErrors(), FrameScores()),
        (PhysicalErrors(DBZ), PhysicalErrors(LinearScale("dBZ", 0, 75))),
        (CategoricalScores(DBZ, (20,)), CategoricalScores(DBZ, (30,))),
        (CategoricalScores(DBZ, (20,)), CategoricalScores(DBZ, (20,), EventRule(inclusive=True))),
        (PixelErrors(), scored(PixelErrors, *frames(1, (2, 8, 8, 1)))),
    ],
)
def test_scores_of_another_kind_are_refused(ours, theirs):
    ours.update(*frames(1, (3, 8, 8, 1)))
    with pytest.raises(MimError, match="same kind, settings and horizon"):
        ours.merge(theirs)


def test_scores_of_a_sequence_are_those_it_has_alone(empty):
    truth, prediction = frames(5)
    values = scored(empty, truth, prediction).per_sequence()
    for i in range(5):
        alone = scored(empty, truth[i : i + 1], prediction[i : i + 1]).result()["mean"]
        assert {name: column[i] for name, column in values.items()} == pytest.approx(alone)


def test_mean_of_the_sequences_is_the_mean_of_sums():
    scores = scored(FrameScores, *frames())
    mean = scores.result()["mean"]
    for name, values in scores.per_sequence().items():
        assert values.mean() == pytest.approx(mean[name])


def test_an_interval_holds_its_mean_and_is_that_of_a_bootstrap_by_hand():
    scores = scored(FrameScores, *frames(40, (2, 8, 8, 1)))
    low, high = scores.intervals()["mse"]
    values = scores.per_sequence()["mse"]
    assert low < scores.result()["mean"]["mse"] < high
    # The normal approximation: 1.96 standard errors to each side.
    assert (high - low) / 2 == pytest.approx(1.96 * values.std() / np.sqrt(40), rel=0.1)
    assert low == pytest.approx(values.mean() - 1.96 * values.std() / np.sqrt(40), rel=0.05)


def test_an_interval_of_a_ratio_resamples_its_counts():
    # Of half of the sequences everything is missing: they have no say in a mean of values.
    truth, prediction = frames(20, missing=0)
    known = scored(PixelErrors, truth, prediction).intervals()["mae"]
    nothing = np.full_like(truth, np.nan)
    both = merged(
        [scored(PixelErrors, truth, prediction), scored(PixelErrors, nothing, prediction)]
    )
    low, high = both.intervals()["mae"]
    assert np.isnan(both.per_sequence()["mae"][20:]).all()
    assert known[0] < np.mean([low, high]) < known[1]
    assert high < 2 * known[1]


def test_one_sequence_has_no_interval(empty):
    intervals = scored(empty, *frames(1)).intervals()
    assert intervals
    assert set(intervals.values()) == {None}


def test_a_score_that_is_not_defined_has_no_interval():
    scores = scored(FrameScores, *frames(3, (2, 6, 6, 1)))
    assert scores.intervals()["ssim_uint8"] is None
    assert scores.intervals()["mse"]
