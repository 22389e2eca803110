import re
from pathlib import Path

import pytest

import mim_tf
from mim_tf.errors import MimError
from mim_tf.evaluation.stored import write_scores
from mim_tf.jobs.presets import add_scores, save_preset
from mim_tf.weights.by_name import read_preset


def test_the_form_of_a_folder(tmp_path, tiny_model):
    path = mim_tf.save_preset(
        tiny_model, tmp_path / "mine", name="tiny", description="a test", updates=3, hours=0.5
    )
    assert path == tmp_path / "mine" / "tiny.weights.h5"
    assert {each.name for each in path.parent.iterdir()} == {"tiny.weights.h5", "tiny.json"}
    preset = read_preset(tmp_path / "mine" / "tiny.json")
    preset.check()
    assert (preset.name, preset.description) == ("tiny", "a test")
    assert (preset.updates, preset.hours, preset.seed) == (3, 0.5, None)
    assert preset.parameters == tiny_model.count_params()


def test_half_is_smaller(tmp_path, tiny_model):
    whole = save_preset(tiny_model, tmp_path, "whole", "a test")
    half = save_preset(tiny_model, tmp_path, "half", "a test", half=True)
    assert half.stat().st_size < whole.stat().st_size


def test_nothing_is_replaced_unasked(tmp_path, tiny_model):
    save_preset(tiny_model, tmp_path, "tiny", "the first")
    with pytest.raises(MimError, match="exists already"):
        save_preset(tiny_model, tmp_path, "tiny", "the second")
    assert read_preset(tmp_path / "tiny.json").description == "the first"
    save_preset(tiny_model, tmp_path, "tiny", "the second", replace=True)
    assert read_preset(tmp_path / "tiny.json").description == "the second"


@pytest.mark.parametrize("name", ["", "a/b", "..", "a.h5", "a b"])
def test_names(tmp_path, tiny_model, name):
    with pytest.raises(MimError, match="letters, digits"):
        save_preset(tiny_model, tmp_path, name, "a test")
    assert not list(tmp_path.iterdir())


def test_facts_that_are_none(tmp_path, tiny_model):
    with pytest.raises(MimError, match=r"may be told .*updates.*; received epochs"):
        save_preset(tiny_model, tmp_path, "tiny", "a test", epochs=3)
    with pytest.raises(MimError, match="hours of a preset cannot be 'two'"):
        save_preset(tiny_model, tmp_path, "tiny", "a test", hours="two")
    with pytest.raises(MimError, match="come with the package"):
        save_preset(tiny_model, tmp_path, "moving-mnist", "a test")


@pytest.fixture
def evaluation(tmp_path):
    """The folder of an evaluation of two sequences."""
    result = {
        "sequences": 2,
        "protocol": "openstl",
        "input_length": 3,
        "mean": {"mse": 5.0},
        "per_frame": {"mse": [4.0, 6.0]},
        "intervals": {"mse": [4.5, 5.5]},
        "data": {"sha256": "abc"},
        "baselines": {"persistence": {"mean": {"mse": 9.0}, "per_frame": {"mse": [8.0, 10.0]}}},
        "per_sequence": {"mse": [5.0, 5.0]},
    }
    folder = tmp_path / "results" / "test-001"
    write_scores(folder, result, 3)
    return folder


def test_scores_of_evaluations(tmp_path, tiny_model, evaluation):
    save_preset(tiny_model, tmp_path, "tiny", "a test")
    add_scores(tmp_path, "tiny", [evaluation], "two sequences")
    preset = read_preset(tmp_path / "tiny.json")
    scores = preset.scores["openstl"]
    assert (scores.sequences, scores.sha256) == (2, "abc")
    assert (scores.mean["mse"], scores.intervals["mse"]) == (5.0, [4.5, 5.5])
    assert scores.baselines == {"persistence": {"mse": 9.0}}
    assert preset.scored_on == "two sequences"
    preset.check()


def test_the_page_on_weights(tmp_path, monkeypatch, tiny_model, evaluation):
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parents[2] / "docs" / "weights.md").read_text()
    (code,) = (
        each
        for each in re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
        if "save_preset" in each
    )
    exec(code, {"model": tiny_model})
    assert read_preset(tmp_path / "presets" / "clouds.json").scores.keys() == {"openstl"}
