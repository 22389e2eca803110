"""Evaluations written, read back, and corrupted."""

import csv
import json

import numpy as np
import pytest

from mim_tf.errors import MimError
from mim_tf.evaluation.stored import RESAMPLES, format_scores, read_evaluation, write_scores

RESULT = {
    "sequences": 2,
    "mean": {"mse": 2.0, "CSI_30": 0.5},
    "per_frame": {"mse": [2.0], "CSI_30": [0.5]},
    "intervals": {"mse": [1.0, 3.0], "CSI_30": None},
    "protocol": "mim2019",
    "input_length": 3,
    "data": {"sha256": "0" * 64},
    "per_sequence": {"mse": np.array([1.0, 3.0]), "CSI_30": np.array([0.5, np.nan])},
}


@pytest.fixture
def folder(tmp_path):
    write_scores(tmp_path, RESULT, 3)
    return tmp_path


def test_what_was_written_is_read(folder):
    evaluation = read_evaluation(folder)
    assert evaluation.name == str(folder)
    assert read_evaluation(folder, name="MIM").name == "MIM"
    assert evaluation.scores["mean"] == RESULT["mean"]
    np.testing.assert_array_equal(evaluation.per_sequence["mse"], [1, 3])
    np.testing.assert_array_equal(evaluation.per_sequence["CSI_30"], [0.5, np.nan])


def test_a_folder_without_scores_is_refused(tmp_path):
    with pytest.raises(MimError, match=r"scores\.json"):
        read_evaluation(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[1]", "null", '{"mean": {}}'])
def test_damaged_scores_are_refused(folder, content):
    (folder / "scores.json").write_text(content)
    with pytest.raises(MimError, match=r"scores\.json"):
        read_evaluation(folder)


@pytest.mark.parametrize("name", ["mean", "intervals", "data", "protocol"])
def test_scores_of_an_older_version_are_refused(folder, name):
    scores = json.loads((folder / "scores.json").read_text())
    del scores[name]
    (folder / "scores.json").write_text(json.dumps(scores))
    with pytest.raises(MimError, match=name):
        read_evaluation(folder)


@pytest.mark.parametrize(
    "changed",
    [
        {"mean": 2.0},
        {"mean": {"mse": "2"}},
        {"per_frame": []},
        {"per_frame": {"mse": [2.0], "CSI_30": [0.5, 0.5]}},
        {"intervals": {"mse": [1.0]}},
        {"data": "mnist"},
        {"baselines": {"persistence": {"mean": {"mse": 2.0}}}},
    ],
)
def test_scores_that_cannot_be_drawn_are_refused(folder, changed):
    (folder / "scores.json").write_text(json.dumps(RESULT | {"per_sequence": 0} | changed))
    with pytest.raises(MimError, match=r"scores\.json"):
        read_evaluation(folder)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "sequence,mse,CSI_30\n",
        "sequence,mse,CSI_30\n1,1.0,0.5\n2,x,\n",
        "sequence,mse,CSI_30\n1,1.0,0.5\n2,3.0\n",
        "sequence,mse,CSI_30\n1,1.0,0.5\n",
        "sequence,mse\n1,1.0\n2,3.0\n",
    ],
)
def test_damaged_values_of_sequences_are_refused(folder, content):
    (folder / "per_sequence.csv").write_text(content)
    with pytest.raises(MimError, match=r"per_sequence\.csv"):
        read_evaluation(folder)


def test_missing_values_of_sequences_are_refused(folder):
    (folder / "per_sequence.csv").unlink()
    with pytest.raises(MimError, match=r"per_sequence\.csv"):
        read_evaluation(folder)


@pytest.mark.parametrize("content", ["{", "[]", "{}"])
def test_a_damaged_record_of_the_best_is_refused(folder, tmp_path, content):
    run = tmp_path / "run"
    write_scores(run / "scores" / "000005", RESULT, 3)
    (run / "best.json").write_text(content)
    with pytest.raises(MimError, match=r"best\.json"):
        read_evaluation(run)


def test_a_row_that_is_cut_is_refused(folder):
    path = folder / "per_sequence.csv"
    path.write_text(path.read_text().rstrip()[:-1])
    with pytest.raises(MimError, match=r"per_sequence\.csv"):
        read_evaluation(folder)


def test_groups_and_resamples_are_read_and_corrupted_ones_are_refused(tmp_path):
    resamples = {"mse": np.arange(4.0), "CSI_30": np.full(4, np.nan)}
    groups = np.array([0, 0])
    write_scores(tmp_path, RESULT | {"groups": groups, "resamples": resamples}, 3)
    evaluation = read_evaluation(tmp_path)
    assert evaluation.groups.tolist() == [1, 1]
    np.testing.assert_array_equal(evaluation.resamples["mse"], np.arange(4))
    path = tmp_path / RESAMPLES
    content = path.read_bytes()
    np.savez(path, means=np.zeros((3, 4)))
    with pytest.raises(MimError, match=RESAMPLES):
        read_evaluation(tmp_path)
    path.write_bytes(content[:40])
    with pytest.raises(MimError, match=RESAMPLES):
        read_evaluation(tmp_path)
    path.unlink()
    assert read_evaluation(tmp_path).resamples is None


# Tables for the terminal and files.

TABLE = {
    "sequences": 3,
    "mean": {"mse": 15.0, "ssim_uint8": None},
    "per_frame": {"mse": [10.125, 19.875], "ssim_uint8": [None, None]},
}


def test_json_holds_the_result_as_it_is(tmp_path):
    write_scores(tmp_path / "new", TABLE, 10)
    assert json.loads((tmp_path / "new" / "scores.json").read_text()) == TABLE


def test_csv_has_a_row_per_predicted_frame_and_the_mean(tmp_path):
    write_scores(tmp_path, TABLE, 10)
    with (tmp_path / "scores.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["frame", "mse", "ssim_uint8"],
            ["11", "10.125", ""],
            ["12", "19.875", ""],
            ["mean", "15.0", ""],
        ]


def test_sequences_and_samples_have_files_of_their_own(tmp_path):
    per_sequence = {"mse": np.array([1.5, np.nan]), "psnr": np.array([20.25, 0])}
    samples = {"index": np.array([3, 1]), "kind": np.array(["first", "best"])}
    parts = {"per_sequence": per_sequence, "samples": samples, "groups": np.array([0, 4])}
    write_scores(tmp_path, TABLE | {"sequences": 2} | parts, 10)
    assert json.loads((tmp_path / "scores.json").read_text()) == TABLE | {"sequences": 2}
    with (tmp_path / "per_sequence.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["sequence", "recording", "mse", "psnr"],
        ["1", "1", "1.5", "20.25"],
        ["2", "5", "", "0.0"],
    ]
    with np.load(tmp_path / "samples.npz") as arrays:
        assert arrays["index"].tolist() == [3, 1]
        assert arrays["kind"].tolist() == ["first", "best"]


def test_nan_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_scores(tmp_path, {**TABLE, "mean": {"mse": float("nan")}}, 10)
    assert not any(tmp_path.iterdir())


def test_table_is_aligned():
    assert format_scores(TABLE, 10).splitlines() == [
        "frame      mse  ssim_uint8",
        "   11  10.1250           -",
        "   12  19.8750           -",
        " mean  15.0000           -",
    ]


def test_a_wide_table_is_continued_below():
    scores = {f"score_{i}": [1.0] for i in range(12)}
    result = {"mean": {name: 1.0 for name in scores}, "per_frame": scores}
    first, second = format_scores(result, 10).split("\n\n")
    assert max(map(len, first.splitlines())) <= 80
    assert first.splitlines()[0].split() == ["frame", *(f"score_{i}" for i in range(8))]
    assert second.splitlines()[0].split() == ["frame", *(f"score_{i}" for i in range(8, 12))]


def test_what_rounds_to_zero_has_no_sign():
    result = {"mean": {"HSS": -1e-6}, "per_frame": {"HSS": [-0.5]}}
    assert format_scores(result, 1).split()[-3:] == ["-0.5000", "mean", "0.0000"]
