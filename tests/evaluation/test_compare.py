"""Comparison of evaluations that stand in folders, and its tables."""

import json

import numpy as np
import pytest

from mim_tf.config import TrainingConfig
from mim_tf.data.files.arrays import ArraySource
from mim_tf.errors import MimError
from mim_tf.evaluation.compare import compare
from mim_tf.evaluation.stored import read_evaluation, write_scores
from mim_tf.jobs import evaluate
from mim_tf.values.scale import LinearScale

NAMES = ["mse", "ssim", "sharpness"]
SCALED = {"sha256": "0" * 64, "source": "npz", "scale": {"unit": "K", "low": 3.0, "high": 4.0}}


def write(folder, mse, ssim=None, **changed):
    """An evaluation with these squared errors of its sequences."""
    mse = np.array(mse, float)
    ssim = 1 - mse / 100 if ssim is None else np.array(ssim)
    columns = dict(zip(NAMES, (mse, ssim, mse), strict=True))
    mean = {name: float(np.nanmean(values)) for name, values in columns.items()}
    result = {
        "sequences": len(mse),
        "mean": mean,
        "per_frame": {name: [value] for name, value in mean.items()},
        "intervals": {name: [value - 1, value + 1] for name, value in mean.items()},
        "protocol": "mim2019",
        "input_length": 10,
        "data": {"sha256": "0" * 64, "source": "npz"},
        "baselines": {},
        "per_sequence": columns,
    }
    write_scores(folder, result | changed, 10)
    return folder


@pytest.fixture
def folders(tmp_path):
    errors = np.random.default_rng(0).uniform(10, 90, 30)
    noise = np.random.default_rng(1).normal(0, 0.5, 30)
    return [
        write(tmp_path / "a", errors),
        # Its intervals overlap with those of a, but it is better on every sequence.
        write(tmp_path / "b", errors - 2 + noise),
        write(tmp_path / "c", errors + noise - noise.mean() + 0.01),
    ]


def test_a_paired_difference_excludes_0_where_intervals_overlap(folders):
    comparison = compare(folders)
    found = {(each.other, each.score): each for each in comparison.differences}
    assert len(found) == 6
    better = found["b", "mse"]
    assert better.mean == pytest.approx(-2, abs=0.3)
    assert better.interval[0] < better.mean < better.interval[1] < 0
    assert (better.better, better.excludes_zero) == ("b", True)
    assert (found["b", "ssim"].better, found["b", "ssim"].excludes_zero) == ("b", True)
    assert found["b", "sharpness"].better is None
    first, second = comparison.conclusion()
    assert first.startswith("b is better than a in MSE by 2.0")
    assert first.endswith(", and the interval excludes 0.")
    assert second.endswith("but the interval includes 0.")
    assert not found["c", "mse"].excludes_zero


def test_means_over_other_thresholds_are_not_compared(tmp_path):
    folders = []
    for name, last in (("a", 30), ("b", 40)):
        mean = {"mse": 1.0, "CSI": 0.5, "CSI_20": 0.6, f"CSI_{last}": 0.4}
        columns = {each: np.full(2, value) for each, value in mean.items()}
        changed = {"mean": mean, "per_sequence": columns}
        changed |= {"per_frame": {each: [value] for each, value in mean.items()}}
        changed |= {"intervals": dict.fromkeys(mean)}
        folders.append(write(tmp_path / name, [1.0, 1.0], **changed))
    assert compare(folders).scores == ["mse", "CSI_20"]


def test_pictures_and_similarity_of_other_ranges_are_not_compared(tmp_path):
    folders = []
    for name, white in (("a", 300.0), ("b", 320.0)):  # --scale=none of other training data
        scale = {"unit": "K", "low": 0.0, "high": 1.0, "black": 260.0, "white": white}
        folders.append(write(tmp_path / name, [1.0, 2.0], data=SCALED | {"scale": scale}))
    with pytest.raises(MimError, match=r"--scale.*300.*320"):
        compare(folders)


def test_the_best_is_named_with_those_it_may_not_beat(folders, tmp_path):
    comparison = compare(folders)
    assert comparison.best() is comparison.evaluations[1]
    assert comparison.verdict("ssim").startswith("b is the best of 3 in SSIM, and every interval")
    assert compare(folders[:2]).verdict() == compare(folders[:2]).conclusion()[0]
    assert compare(folders[:1]).differences == compare(folders[:1]).conclusion() == []
    errors = comparison.evaluations[1].per_sequence["mse"]
    folders.append(write(tmp_path / "d", errors + np.random.default_rng(2).normal(0.01, 1, 30)))
    comparison = compare(folders)
    best = comparison.best().name
    assert comparison.verdict().startswith(f"{best} scores best of 4 in MSE, but the interval")
    assert comparison.verdict().endswith(f"from { {'b': 'd', 'd': 'b'}[best] } includes 0.")


def test_a_run_that_few_recordings_favour_may_do_so_by_chance(tmp_path):
    # Student's t of differences of 1, 2 and 3: 2 +- 4.303 / 3 ** 0.5, that is -0.48 to 4.48.
    errors = np.array([10.0, 20.0, 30.0])
    folders = [write(tmp_path / "a", errors), write(tmp_path / "b", errors + np.array([1, 2, 3]))]
    (difference,) = [each for each in compare(folders).differences if each.score == "mse"]
    assert difference.interval == pytest.approx([-0.48, 4.48], abs=0.1)
    assert not difference.excludes_zero
    assert compare(folders).verdict().endswith("but the interval includes 0.")


def test_only_scores_with_a_better_side_decide(folders):
    comparison = compare(folders[:2])
    assert comparison.scores == NAMES
    (sentence,) = comparison.conclusion("sharpness")
    assert sentence.endswith("], which does not say which is better.")
    comparison.check_score("ssim")
    with pytest.raises(MimError, match="--score"):
        comparison.check_score("sharpness")


def test_a_score_that_is_not_defined_in_both_is_not_compared(tmp_path):
    equal = compare([write(tmp_path / name, [1.0, 2.0]) for name in "ab"])
    assert equal.verdict() == "b and a do not differ in MSE."
    folders = [
        write(tmp_path / name, [1, 2, 3.0], ssim=np.where(np.arange(3) == number, 0.5, np.nan))
        for number, name in enumerate("cde")
    ]
    expected = "{} and c cannot be compared in SSIM: it is not defined at the same lead times and "
    expected += "thresholds in both."
    assert compare(folders[:2]).conclusion("ssim") == [expected.format("d")]
    assert compare(folders).verdict("ssim") == " ".join(map(expected.format, "de"))
    a = write(tmp_path / "f", [1, 2, 3.0], ssim=[0.5, np.nan, 0.5])
    b = write(tmp_path / "g", [1, 2, 3.0], ssim=[0.6, 0.1, np.nan])
    (difference,) = [each for each in compare([a, b]).differences if each.score == "ssim"]
    assert (difference.mean, difference.interval) == (pytest.approx(0.1), None)
    assert difference.sentence.endswith("of which there is no interval.")


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"data": {"sha256": "1" * 64, "source": "npz"}}, "SHA-256 11111111"),
        ({"protocol": "openstl"}, "protocol"),
        ({"data": SCALED}, "--scale"),
        ({"data": SCALED | {"sha256": "1" * 64}}, "--scale"),
        ({"input_length": 5}, "input_length"),
        ({"mse": [1.0, 2.0]}, "sequences 30"),
    ],
)
def test_other_tests_are_refused(folders, tmp_path, changed, named):
    other = write(tmp_path / "other", **{"mse": np.ones(30)} | changed)
    with pytest.raises(MimError, match=named):
        compare([folders[0], other])


@pytest.mark.parametrize(
    ("places", "names", "named"),
    [
        (["a", "b"], ["MIM"], "--names"),
        (["a", "b"], ["MIM", "MIM"], "--names"),
        (["a", "a/."], (), "different evaluations"),
        (["a", "none"], (), "none: expected the folder of a run or an evaluation"),
    ],
)
def test_names_and_folders_that_do_not_fit_are_refused(folders, tmp_path, places, names, named):
    with pytest.raises(MimError, match=named):
        compare([f"{tmp_path}/{place}" for place in places], names)


@pytest.mark.parametrize(
    ("places", "names"),
    [
        (["mim/run-001", "convlstm/run-001"], ["mim", "convlstm"]),
        (["mim/run-001", "mim/run-002"], ["run-001", "run-002"]),
        (["a/x/run-001", "b/y/run-001"], ["a/x", "b/y"]),
        (["run", "run/scores/000005"], ["run", "run/scores/000005"]),
        (["a/run", "run"], ["a/run", "run"]),
    ],
)
def test_names_are_what_differs_in_the_paths(tmp_path, places, names):
    folders = [write(tmp_path / place, [1, 2]) for place in places]
    assert [each.name for each in compare(folders).evaluations] == names
    given = compare(folders, ["MIM", "ConvLSTM"]).evaluations
    assert [each.name for each in given] == ["MIM", "ConvLSTM"]


def test_the_best_evaluation_of_a_run_is_compared_else_its_last(tmp_path):
    for iteration, error in ((5, 30), (10, 20), (15, 25)):
        write(tmp_path / "run" / "scores" / f"{iteration:06d}", [error, error])
    other = write(tmp_path / "other", [24, 24])
    (last, _, _) = compare([tmp_path / "run", other]).differences
    assert (last.mean, last.first) == (-1, "run")
    (tmp_path / "run" / "best.json").write_text(json.dumps({"iteration": 10, "mse": 20}))
    assert compare([tmp_path / "run", other]).differences[0].mean == 4


def evaluated(folder, truth, prediction):
    """Score predictions of all frames but the first; a recording has two sequences."""
    source = ArraySource(truth)
    source.scale, source.thresholds = LinearScale("dBZ", 0, 70), (30.0,)
    source.latitude = np.linspace(60, 0, truth.shape[2])
    source.groups = lambda indices: np.asarray(indices) // 2
    config = TrainingConfig(protocol="per_pixel", max_test_sequences=0, num_save_samples=0)
    result = evaluate.scored(lambda _, indices: prediction[indices], source, 1, config, None)
    write_scores(folder, result, 1)
    return folder


@pytest.fixture
def scored(tmp_path):
    """Two evaluations. Errors of the first differ much in size, those of the second little."""
    rng = np.random.default_rng(0)
    truth = rng.random((24, 3, 8, 8, 1), np.float32)
    noise = rng.normal(0, 1, truth[:, 1:].shape).astype(np.float32)
    size = np.where(np.arange(24) // 2 % 2, 0, np.float32(0.2)).reshape(24, 1, 1, 1, 1)
    return [
        evaluated(tmp_path / "uneven", truth, truth[:, 1:] + size * noise),
        evaluated(tmp_path / "even", truth, truth[:, 1:] + np.float32(0.12) * noise),
    ]


def test_differences_are_of_the_scores_in_the_table(scored):
    comparison = compare(scored)
    uneven, even = comparison.evaluations
    per_sequence = [np.nanmean(each.per_sequence["rmse"]) for each in (uneven, even)]
    assert per_sequence[0] < per_sequence[1]  # the mean of RMSEs ranks the other way
    assert even.scores["mean"]["rmse"] < uneven.scores["mean"]["rmse"]
    assert comparison.best("rmse") is even
    for each in comparison.differences:
        expected = even.scores["mean"][each.score] - uneven.scores["mean"][each.score]
        assert each.mean == pytest.approx(expected), each.score
        low, high = each.interval
        assert low <= each.mean <= high
        ours, theirs = (part.resamples[each.score] for part in (even, uneven))
        assert np.std(ours - theirs) == pytest.approx((high - low) / 4.4, rel=0.2)
    assert {"RMSE_1", "ACC_1", "CSI_30", "power_ratio", "rmse_dBZ"} <= set(comparison.scores)


def test_evaluations_without_resamples_are_compared_by_their_sequences(scored, caplog):
    (scored[1] / "resamples.npz").unlink()
    comparison = compare(scored)
    assert "this version: even." in caplog.text
    (rmse,) = [each for each in comparison.differences if each.score == "rmse"]
    values = [read_evaluation(each).per_sequence["rmse"] for each in scored]
    assert rmse.mean == pytest.approx((values[1] - values[0]).mean())
    assert comparison.best("rmse").name == "uneven"


def test_a_difference_without_an_interval_is_called_so(tmp_path):
    folders = [write(tmp_path / name, [mse]) for name, mse in (("a", 10), ("b", 11), ("c", 9))]
    words = compare(folders).verdict("mse")
    assert "there is no interval of that from a" in words
    assert "includes 0" not in words
