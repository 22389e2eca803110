"""Comparison of evaluations that stand in folders."""

import json

import numpy as np
import pytest

from mim_tf.errors import MimError
from mim_tf.evaluation.compare import compare
from mim_tf.evaluation.stored import write_scores

NAMES = ["mse", "ssim", "sharpness"]


SCALED = {"sha256": "0" * 64, "source": "npz", "scale": {"unit": "K", "low": 3.0, "high": 4.0}}


def write(folder, mse, sequences=None, ssim=None, **changed):
    """An evaluation with these squared errors of its sequences."""
    mse = np.array(mse, float)
    ssim = 1 - mse / 100 if ssim is None else np.array(ssim)
    columns = dict(zip(NAMES, (mse, ssim, mse), strict=True))
    mean = {name: float(np.nanmean(values)) for name, values in columns.items()}
    result = {
        "sequences": sequences or len(mse),
        "mean": mean,
        "per_frame": {name: [value, value + 1] for name, value in mean.items()},
        "intervals": {name: [value - 1, value + 1] for name, value in mean.items()},
        "protocol": "mim2019",
        "input_length": 10,
        "data": {"sha256": "0" * 64, "source": "npz"},
        "baselines": {
            "persistence": {"mean": mean, "per_frame": {name: [7.0, 8.0] for name in mean}}
        },
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
    b = "b"
    comparison = compare(folders)
    found = {(each.other, each.score): each for each in comparison.differences}
    assert len(found) == 6
    better = found[b, "mse"]
    assert better.mean == pytest.approx(-2, abs=0.3)
    assert better.interval[0] < better.mean < better.interval[1] < 0
    assert (better.better, better.excludes_zero) == (b, True)
    assert (found[b, "ssim"].better, found[b, "ssim"].excludes_zero) == (b, True)
    assert found[b, "ssim"].mean > 0
    assert found[b, "sharpness"].better is None
    first, _ = comparison.conclusion()
    assert first.startswith("b is better than a in mse by ")
    assert first.endswith(", and the interval excludes 0.")


def test_a_difference_within_the_noise_does_not(folders):
    a, _, c = folders
    comparison = compare([a, c])
    (difference,) = [each for each in comparison.differences if each.score == "mse"]
    assert difference.better == "a"
    assert not difference.excludes_zero
    assert comparison.conclusion()[0].startswith("a is better than c in mse by 0.01 [-0.")
    assert comparison.verdict().endswith("], but the interval does not exclude 0.")
    assert comparison.best().name == "a"


def test_the_best_of_several_is_named_with_those_it_may_not_beat(folders, tmp_path):
    assert (
        compare(folders).verdict("ssim")
        == "b is the best of 3 in ssim, and every interval excludes 0."
    )
    errors = compare(folders).evaluations[1].per_sequence["mse"]
    folders.append(write(tmp_path / "d", errors + np.random.default_rng(2).normal(0.01, 1, 30)))
    comparison = compare(folders)
    assert comparison.verdict() == (
        f"{comparison.best().name} scores best of 4 in mse, but the interval of its difference from "
        f"{ {'b': 'd', 'd': 'b'}[comparison.best().name] } does not exclude 0."
    )


def test_only_scores_with_a_better_side_decide(folders):
    comparison = compare(folders)
    assert comparison.deciding == ["mse", "ssim"]
    assert comparison.scores == NAMES


def test_runs_can_be_named(folders):
    names = [each.name for each in compare(folders[:2], ["MIM", "ConvLSTM"]).evaluations]
    assert names == ["MIM", "ConvLSTM"]
    for wrong in (["MIM"], ["MIM", "MIM"]):
        with pytest.raises(MimError, match="Expected 2 different names"):
            compare(folders[:2], wrong)


def test_equal_evaluations_do_not_differ(tmp_path):
    comparison = compare([write(tmp_path / name, [1.0, 2.0]) for name in "ab"])
    assert {each.better for each in comparison.differences} == {None}
    assert comparison.conclusion()[0].endswith("do not differ in mse.")
    assert comparison.verdict() == "b and a do not differ in mse."


def test_more_sharpness_is_not_told_as_no_difference(folders):
    (sentence,) = compare(folders[:2]).conclusion("sharpness")
    assert sentence.startswith("b is lower than a in sharpness by 2.0")
    assert sentence.endswith("], which does not say which is better.")


def test_a_score_that_no_sequence_has_in_both_is_not_compared(tmp_path):
    folders = [
        write(tmp_path / "a", [1, 2, 3.0], ssim=[0.5, np.nan, np.nan]),
        write(tmp_path / "b", [1, 2, 3.0], ssim=[np.nan, 0.6, np.nan]),
        write(tmp_path / "c", [1, 2, 3.0], ssim=[np.nan, np.nan, 0.5]),
    ]
    expected = "{} and {} cannot be compared in ssim: no sequence has it in both."
    assert compare(folders[:2]).conclusion("ssim") == [expected.format("b", "a")]
    assert compare(folders[:2]).verdict("ssim") == expected.format("a", "b")
    assert compare(folders).verdict("ssim") == " ".join(
        expected.format(other, "b") for other in "ac"
    )


def test_undefined_values_are_left_out_in_pairs(tmp_path):
    a = write(tmp_path / "a", [1, 2, 3.0], ssim=[0.5, np.nan, 0.5])
    b = write(tmp_path / "b", [1, 2, 3.0], ssim=[0.6, 0.1, np.nan])
    (difference,) = [each for each in compare([a, b]).differences if each.score == "ssim"]
    assert difference.mean == pytest.approx(0.1)
    assert difference.interval is None


def test_curves_are_of_evaluations_and_baselines(folders):
    curves = compare(folders[:2]).curves("mse")
    assert list(curves) == ["a", "b", "persistence"]
    assert curves["persistence"] == [7, 8]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"data": {"sha256": "1" * 64, "source": "npz"}}, "other sequences.*11111111; not"),
        ({"protocol": "openstl"}, "protocol is openstl, not mim2019"),
        (
            {"data": SCALED},
            r"another scale \(0 is 3.0, 1 is 4.0, clipped; not none",
        ),
        ({"data": SCALED | {"sha256": "1" * 64}}, "another scale"),
        ({"input_length": 5}, "context length is 5, not 10"),
    ],
)
def test_other_tests_are_refused(folders, tmp_path, changed, message):
    other = write(tmp_path / "other", np.ones(30), **changed)
    with pytest.raises(MimError, match=message):
        compare([folders[0], other])
    with pytest.raises(MimError, match="number of sequences is 2"):
        compare([folders[0], write(tmp_path / "few", [1.0, 2.0])])


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


def test_less_than_two_are_refused(folders):
    with pytest.raises(MimError, match="two or more evaluations"):
        compare(folders[:1])
    with pytest.raises(MimError, match="same folder twice"):
        compare([folders[0], f"{folders[0]}/."])


def test_the_best_evaluation_of_a_run_is_compared_else_its_last(tmp_path):
    for iteration, error in ((5, 30), (10, 20), (15, 25)):
        write(tmp_path / "run" / "scores" / f"{iteration:06d}", [error, error])
    other = write(tmp_path / "other", [24, 24])
    (last, _, _) = compare([tmp_path / "run", other]).differences
    assert (last.mean, last.first) == (-1, "run")
    (tmp_path / "run" / "best.json").write_text(json.dumps({"iteration": 10, "mse": 20}))
    assert compare([tmp_path / "run", other]).differences[0].mean == 4
