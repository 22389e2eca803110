"""Presets are saved, scored, and found in the package and in MIM_TF_PRESETS."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

import mim_tf
from mim_tf.errors import MimError
from mim_tf.evaluation.stored import write_scores
from mim_tf.jobs.presets import add_scores, save_preset
from mim_tf.weights import by_name
from mim_tf.weights.by_name import Preset, find_preset, find_weights, list_presets, read_preset
from tests.report.conftest import CONTEXT, evaluation, make_run
from tests.test_readme import block

PACKAGED = list_presets()


@pytest.fixture
def folder(in_tmp, monkeypatch, tiny_model):
    """MIM_TF_PRESETS, with a preset "tiny", the weights of `tiny_model`."""
    folder = in_tmp / "presets"
    save_preset(tiny_model, folder, "tiny", "a test", half=True, updates=3, hours=0.5)
    monkeypatch.setenv("MIM_TF_PRESETS", str(folder))
    return folder


def test_a_preset_is_two_files_and_loads_by_name(folder, tiny_model, monkeypatch):
    assert {each.name for each in folder.iterdir()} == {"tiny.weights.h5", "tiny.json"}
    preset = read_preset(folder / "tiny.json")
    assert (preset.name, preset.description) == ("tiny", "a test")
    assert preset.facts == {"updates": 3, "hours": 0.5}
    assert preset.parameters == tiny_model.count_params()
    checked, check = [], Preset.check
    monkeypatch.setattr(Preset, "check", lambda preset: checked.append(check(preset)))
    model = mim_tf.load_model("tiny")
    assert len(checked) == 1
    assert model.config == tiny_model.config
    np.testing.assert_equal(model.get_weights(), [np.float16(w) for w in tiny_model.weights])


def test_the_package_comes_before_the_folder_and_paths_before_both(folder):
    assert list(list_presets()) == [*PACKAGED, "tiny"]
    name = next(iter(PACKAGED))
    (folder / f"{name}.json").write_text((folder / "tiny.json").read_text())
    assert find_weights(name) == PACKAGED[name].path
    assert list_presets()[name] == PACKAGED[name]
    for path in ("tiny", "a.weights.h5", "model.index"):
        Path(path).write_bytes(b"mine")
    for path in ("tiny", "a.weights.h5", "model"):
        assert find_weights(path) == path


def test_weights_that_were_changed_or_deleted(folder):
    weights = folder / "tiny.weights.h5"
    with weights.open("ab") as file:
        file.write(b"x")
    with pytest.raises(MimError, match=r"tiny\.weights\.h5.*SHA-256"):
        mim_tf.load_model("tiny")
    weights.unlink()
    with pytest.raises(MimError, match=r"tiny\.weights\.h5"):
        mim_tf.load_model("tiny")


@pytest.mark.parametrize(
    "change",
    [
        *("{", "[]", {"sha256": 3}, {"scores": {"mim2019": {"mse": 1}}}, {"scores": 3}),
        *({"seed": []}, {"description": "a" * 10**7}),
    ],
)
def test_a_damaged_description(folder, change):
    record = folder / "tiny.json"
    if not isinstance(change, str):
        change = json.dumps(json.loads(record.read_text()) | change)
    record.write_text(change)
    with pytest.raises(MimError, match=r"tiny\.json") as caught:
        find_weights("tiny")
    assert len(str(caught.value)) < 1000


def test_unknown_names_and_folders(folder, monkeypatch):
    with pytest.raises(MimError, match=r"moving-mnist, radolan, tiny .*Did you mean tiny\?"):
        mim_tf.load_model("tinny")
    monkeypatch.setenv("MIM_TF_PRESETS", str(folder / "none"))
    assert find_weights(next(iter(PACKAGED)))
    with pytest.raises(MimError, match="MIM_TF_PRESETS"):
        find_weights("tiny")


def test_a_folder_of_an_unknown_user_is_refused(folder, monkeypatch):
    monkeypatch.setenv("MIM_TF_PRESETS", "~nobody-of-this-name/presets")
    with pytest.raises(MimError, match="~nobody-of-this-name/presets"):
        list_presets()


@pytest.mark.parametrize("name", PACKAGED)
def test_weights_of_the_package_load(name):
    assert mim_tf.load_model(name).count_params() == PACKAGED[name].parameters


def test_weights_of_the_package_are_small():
    assert sum(os.path.getsize(preset.path) for preset in PACKAGED.values()) < 30e6
    assert all(path.stem in PACKAGED for path in by_name.PACKAGED.glob("*.json"))


def test_a_preset_is_replaced_only_if_asked(folder, tiny_model):
    half = (folder / "tiny.weights.h5").stat().st_size
    with pytest.raises(MimError, match="tiny"):
        save_preset(tiny_model, folder, "tiny", "the second")
    assert read_preset(folder / "tiny.json").description == "a test"
    path = save_preset(tiny_model, folder, "tiny", "the second", replace=True)
    assert read_preset(folder / "tiny.json").description == "the second"
    assert path.stat().st_size > half


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        *((name, {}) for name in ("", "a/b", "..", "a.h5", "a b", "moving-mnist")),
        ("tiny", {"hours": ["two"]}),
        ("tiny", {"sha256": "ab"}),
    ],
)
def test_names_and_facts_that_a_preset_cannot_have(tmp_path, tiny_model, name, facts):
    with pytest.raises(MimError, match=re.escape(next(iter(facts), name or "''"))):
        save_preset(tiny_model, tmp_path, name, "a test", **facts)
    assert not list(tmp_path.iterdir())


def test_scores_of_evaluations_are_added(folder):
    result = evaluation()
    write_scores(folder / "a", result, CONTEXT)
    add_scores(folder, "tiny", [folder / "a"], "six sequences")
    preset = read_preset(folder / "tiny.json")
    assert preset.scores["mim2019"] == {
        "sha256": result["data"]["sha256"],
        **{name: result[name] for name in ("sequences", "mean", "intervals")},
        "baselines": {name: part["mean"] for name, part in result["baselines"].items()},
    }
    assert preset.scored_on == "six sequences"
    preset.check()
    record = json.loads((make_run(folder / "b") / "run.json").read_text())
    record["sources"] = {"test": {"changes": "--probability_matching"}}
    (folder / "a" / "run.json").write_text(json.dumps(record))
    with pytest.raises(MimError, match="--probability_matching"):
        add_scores(folder, "tiny", [folder / "a"], "six sequences")


def test_the_example_on_the_page_of_weights(in_tmp, tiny_model):
    write_scores(Path("results/test-001"), evaluation(), CONTEXT)
    exec(block("docs/weights.md", "save_preset"), {"model": tiny_model})
    assert read_preset(in_tmp / "presets" / "clouds.json").scores.keys() == {"mim2019"}


def test_a_folder_of_the_name_of_a_preset_does_not_hide_it(in_tmp):
    (in_tmp / "moving-mnist").mkdir()
    assert find_preset("moving-mnist").name == "moving-mnist"
