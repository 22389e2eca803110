"""Evaluations written, read back, and corrupted; and their table for the terminal."""

import csv
import json

import numpy as np
import pytest

from mim_tf.errors import MimError
from mim_tf.evaluation.stored import (
    RESAMPLES,
    evaluations_of,
    find_evaluation,
    format_scores,
    read_evaluation,
    write_scores,
)

RESULT = {
    "sequences": 2,
    "recordings": 1,
    "mean": {"mse": 2.0, "CSI_30": None},
    "per_frame": {"mse": [1.875, 2.125], "CSI_30": [None, None]},
    "intervals": {"mse": [1.0, 3.0], "CSI_30": None},
    "protocol": "mim2019",
    "input_length": 3,
    "data": {"sha256": "0" * 64},
}
ARRAYS = {
    "per_sequence": {"mse": np.array([1.0, 3.0]), "CSI_30": np.array([0.5, np.nan])},
    "groups": np.array([0, 4]),
    "resamples": {"mse": np.arange(4.0), "CSI_30": np.full(4, np.nan)},
    "samples": {"index": np.array([3, 1]), "kind": np.array(["first", "best"])},
}


@pytest.fixture
def folder(tmp_path):
    write_scores(tmp_path / "new", RESULT | ARRAYS, 3)
    return tmp_path / "new"


def rows(path):
    with path.open(newline="") as file:
        return list(csv.reader(file))


def test_files_hold_what_was_written(folder):
    assert json.loads((folder / "scores.json").read_text()) == RESULT
    assert rows(folder / "scores.csv") == [
        ["frame", "mse", "CSI_30"],
        ["4", "1.875", ""],
        ["5", "2.125", ""],
        ["mean", "2.0", ""],
    ]
    assert rows(folder / "per_sequence.csv") == [
        ["sequence", "recording", "mse", "CSI_30"],
        ["1", "1", "1.0", "0.5"],
        ["2", "5", "3.0", ""],
    ]
    with np.load(folder / "samples.npz") as arrays:
        assert arrays["index"].tolist() == [3, 1]
        assert arrays["kind"].tolist() == ["first", "best"]
    evaluation = read_evaluation(folder, name="MIM")
    assert (evaluation.name, read_evaluation(folder).name) == ("MIM", str(folder))
    assert evaluation.scores == RESULT
    assert evaluation.groups.tolist() == [1, 5]
    for part in ("per_sequence", "resamples"):
        for name, values in ARRAYS[part].items():
            np.testing.assert_array_equal(getattr(evaluation, part)[name], values)


def test_an_evaluation_of_an_earlier_version_is_read(tmp_path):
    older = {name: value for name, value in RESULT.items() if name != "recordings"}
    write_scores(tmp_path, older | {"per_sequence": ARRAYS["per_sequence"]}, 3)
    evaluation = read_evaluation(tmp_path)
    assert (evaluation.groups, evaluation.resamples) == (None, None)


def test_nan_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_scores(tmp_path, {**RESULT, "mean": {"mse": float("nan")}}, 3)
    assert not any(tmp_path.iterdir())


CHANGED = [
    {"mean": 2.0},
    {"mean": {"mse": "2"}},
    {"recordings": "2"},
    {"per_frame": []},
    {"per_frame": {"mse": [2.0], "CSI_30": [0.5, 0.5]}},
    {"intervals": {"mse": [1.0]}},
    {"data": "mnist"},
    {"baselines": {"persistence": {"mean": {"mse": 2.0}}}},
    {"baselines": {"persistence": {"mean": {"mse": 2.0}, "per_frame": {}}}},
]
HEADER = "sequence,mse,CSI_30\n"
FOLDER = "scores/000005"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *((f"{FOLDER}/scores.json", text) for text in ("", "{", "[1]", "null", "{}", None)),
        *((f"{FOLDER}/scores.json", json.dumps(RESULT | changed)) for changed in CHANGED),
        *(
            (f"{FOLDER}/scores.json", json.dumps({k: v for k, v in RESULT.items() if k != name}))
            for name in ("mean", "intervals", "data", "protocol")  # older versions
        ),
        *((f"{FOLDER}/per_sequence.csv", text) for text in ("", None, HEADER)),
        (f"{FOLDER}/per_sequence.csv", HEADER + "1,1.0,0.5\n2,x,\n"),
        (f"{FOLDER}/per_sequence.csv", HEADER + "1,1.0,0.5\n2,3.0\n"),
        (f"{FOLDER}/per_sequence.csv", HEADER + "1,1.0,0.5\n2,3.0,0.25"),  # a row that is cut
        (f"{FOLDER}/per_sequence.csv", HEADER + "1,1.0,0.5\n"),
        (f"{FOLDER}/per_sequence.csv", "sequence,mse\n1,1.0\n2,3.0\n"),
        (f"{FOLDER}/{RESAMPLES}", "PK"),
        *(("best.json", text) for text in ("{", "[]", "{}")),
    ],
)
def test_a_corrupted_or_missing_file_is_refused(tmp_path, name, content):
    write_scores(tmp_path / FOLDER, RESULT | ARRAYS, 3)
    (tmp_path / name).unlink(missing_ok=True)
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(MimError, match=name.rpartition("/")[2]):
        read_evaluation(tmp_path)


def test_the_table_is_aligned_and_zero_has_no_sign():
    result = {"mean": {"mse": -1e-6, "HSS": None}, "per_frame": {"mse": [10.125], "HSS": [-0.5]}}
    assert format_scores(result, 10).splitlines() == [
        "frame      mse      HSS",
        "   11  10.1250  -0.5000",
        " mean   0.0000        -",
    ]


def test_a_column_of_small_scores_has_no_zeros_instead():
    """Such as errors in kg m-2 s-1."""
    result = {"mean": {"mae": 2e-7, "HSS": 0}, "per_frame": {"mae": [1.25e-6], "HSS": [0]}}
    assert format_scores(result, 10).splitlines() == [
        "frame        mae     HSS",
        "   11  1.250e-06  0.0000",
        " mean  2.000e-07  0.0000",
    ]


def test_a_wide_table_is_continued_below():
    scores = {f"score_{i}": [1.0] for i in range(12)}
    result = {"mean": {name: 1.0 for name in scores}, "per_frame": scores}
    first, second = format_scores(result, 10).split("\n\n")
    assert max(map(len, first.splitlines())) <= 80
    assert first.splitlines()[0].split() == ["frame", *(f"score_{i}" for i in range(8))]
    assert second.splitlines()[0].split() == ["frame", *(f"score_{i}" for i in range(8, 12))]


def test_evaluations_are_in_the_order_of_their_iterations(tmp_path):
    for iteration in (1_001_000, 999_000, 1_000_000):
        folder = tmp_path / "scores" / f"{iteration:06d}"
        folder.mkdir(parents=True)
        (folder / "scores.json").write_text("{}")
    found = [int(path.name) for path in evaluations_of(tmp_path)]
    assert found == [999_000, 1_000_000, 1_001_000]
    assert find_evaluation(tmp_path).name == "1001000"
