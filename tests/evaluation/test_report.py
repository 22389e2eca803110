import csv
import json

import numpy as np
import pytest

from mim_tf.evaluation.stored import format_scores, write_scores

RESULT = {
    "sequences": 3,
    "mean": {"mse": 15.0, "ssim_uint8": None},
    "per_frame": {"mse": [10.125, 19.875], "ssim_uint8": [None, None]},
}


def test_json_holds_the_result_as_it_is(tmp_path):
    write_scores(tmp_path / "new", RESULT, 10)
    assert json.loads((tmp_path / "new" / "scores.json").read_text()) == RESULT


def test_csv_has_a_row_per_predicted_frame_and_the_mean(tmp_path):
    write_scores(tmp_path, RESULT, 10)
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
    write_scores(tmp_path, RESULT | {"per_sequence": per_sequence, "samples": samples}, 10)
    assert json.loads((tmp_path / "scores.json").read_text()) == RESULT
    with (tmp_path / "per_sequence.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [["sequence", "mse", "psnr"], ["1", "1.5", "20.25"], ["2", "", "0.0"]]
    with np.load(tmp_path / "samples.npz") as arrays:
        assert arrays["index"].tolist() == [3, 1]
        assert arrays["kind"].tolist() == ["first", "best"]


def test_nan_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_scores(tmp_path, {**RESULT, "mean": {"mse": float("nan")}}, 10)
    assert not any(tmp_path.iterdir())


def test_table_is_aligned():
    assert format_scores(RESULT, 10).splitlines() == [
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
