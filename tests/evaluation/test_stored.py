"""Evaluations written, read back, and corrupted; and their table for the terminal."""

import csv
import json

import numpy as np
import pytest

from mim_tf.errors import MimError
from mim_tf.evaluation.stored import RESAMPLES, format_scores, read_evaluation, write_scores

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


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *(("scores.json", text) for text in ("", "{", "[1]", "null", '{"mean": {}}', None)),
        ("per_sequence.csv", ""),
        ("per_sequence.csv", None),
        ("per_sequence.csv", "sequence,mse,CSI_30\n"),
        ("per_sequence.csv", "sequence,mse,CSI_30\n1,1.0,0.5\n2,x,\n"),
        ("per_sequence.csv", "sequence,mse,CSI_30\n1,1.0,0.5\n2,3.0\n"),
        ("per_sequence.csv", "sequence,mse,CSI_30\n1,1.0,0.5\n2,3.0,0.25"),  # a row that is cut
        ("per_sequence.csv", "sequence,mse,CSI_30\n1,1.0,0.5\n"),
        ("per_sequence.csv", "sequence,mse\n1,1.0\n2,3.0\n"),
        (RESAMPLES, "PK"),
    ],
)
def test_a_corrupted_or_missing_file_is_refused(folder, name, content):
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_text(content)
    with pytest.raises(MimError, match=name):
        read_evaluation(folder)


def test_resamples_of_other_scores_are_refused(folder):
    np.savez(folder / RESAMPLES, means=np.zeros((3, 4)))
    with pytest.raises(MimError, match=RESAMPLES):
        read_evaluation(folder)


@pytest.mark.parametrize(
    "changed",
    [
        *({name: None} for name in ("mean", "intervals", "data", "protocol")),  # older versions
        {"mean": 2.0},
        {"mean": {"mse": "2"}},
        {"recordings": "2"},
        {"per_frame": []},
        {"per_frame": {"mse": [2.0], "CSI_30": [0.5, 0.5]}},
        {"intervals": {"mse": [1.0]}},
        {"data": "mnist"},
        {"baselines": {"persistence": {"mean": {"mse": 2.0}}}},
    ],
)
def test_scores_that_cannot_be_shown_are_refused(folder, changed):
    content = {name: value for name, value in (RESULT | changed).items() if value is not None}
    (folder / "scores.json").write_text(json.dumps(content))
    with pytest.raises(MimError, match=r"scores\.json"):
        read_evaluation(folder)


@pytest.mark.parametrize("content", ["{", "[]", "{}"])
def test_a_corrupted_record_of_the_best_is_refused(tmp_path, content):
    write_scores(tmp_path / "scores" / "000005", RESULT | ARRAYS, 3)
    (tmp_path / "best.json").write_text(content)
    with pytest.raises(MimError, match=r"best\.json"):
        read_evaluation(tmp_path)


def test_the_table_is_aligned_and_zero_has_no_sign():
    result = {"mean": {"mse": -1e-6, "HSS": None}, "per_frame": {"mse": [10.125], "HSS": [-0.5]}}
    assert format_scores(result, 10).splitlines() == [
        "frame      mse      HSS",
        "   11  10.1250  -0.5000",
        " mean   0.0000        -",
    ]


def test_a_wide_table_is_continued_below():
    scores = {f"score_{i}": [1.0] for i in range(12)}
    result = {"mean": {name: 1.0 for name in scores}, "per_frame": scores}
    first, second = format_scores(result, 10).split("\n\n")
    assert max(map(len, first.splitlines())) <= 80
    assert first.splitlines()[0].split() == ["frame", *(f"score_{i}" for i in range(8))]
    assert second.splitlines()[0].split() == ["frame", *(f"score_{i}" for i in range(8, 12))]
