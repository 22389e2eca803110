"""Evaluations whose files are missing or damaged."""

import json

import numpy as np
import pytest

from mim_tf.errors import MimError
from mim_tf.evaluation.stored import read_evaluation, write_scores

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
    with pytest.raises(MimError, match="holds no scores: expected"):
        read_evaluation(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[1]", "null", '{"mean": {}}'])
def test_damaged_scores_are_refused(folder, content):
    (folder / "scores.json").write_text(content)
    with pytest.raises(MimError, match=r"scores.json is damaged.*Evaluate again"):
        read_evaluation(folder)


@pytest.mark.parametrize("name", ["mean", "intervals", "data", "protocol"])
def test_scores_of_an_older_version_are_refused(folder, name):
    scores = json.loads((folder / "scores.json").read_text())
    del scores[name]
    (folder / "scores.json").write_text(json.dumps(scores))
    with pytest.raises(MimError, match=f"no {name} in it"):
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
    with pytest.raises(MimError, match=r"scores.json is damaged.*Evaluate again"):
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
    with pytest.raises(MimError, match=r"per_sequence.csv (is damaged|does not fit)"):
        read_evaluation(folder)


def test_missing_values_of_sequences_are_refused(folder):
    (folder / "per_sequence.csv").unlink()
    with pytest.raises(
        MimError, match=r"per_sequence\.csv: .* found no such file.* Evaluate again"
    ):
        read_evaluation(folder)


@pytest.mark.parametrize("content", ["{", "[]", "{}"])
def test_a_damaged_record_of_the_best_is_refused(folder, tmp_path, content):
    run = tmp_path / "run"
    write_scores(run / "scores" / "000005", RESULT, 3)
    (run / "best.json").write_text(content)
    with pytest.raises(MimError, match=r"best\.json is damaged"):
        read_evaluation(run)


def test_a_row_that_is_cut_is_refused(folder):
    path = folder / "per_sequence.csv"
    path.write_text(path.read_text().rstrip()[:-1])
    with pytest.raises(MimError, match=r"per_sequence\.csv is damaged.*it ends within a row"):
        read_evaluation(folder)
