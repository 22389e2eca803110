"""Presets are found in the package and in MIM_TF_PRESETS, and are what they were when saved."""

import json
import os

import h5py
import numpy as np
import pytest

import mim_tf
from mim_tf.errors import MimError
from mim_tf.jobs.presets import save_preset
from mim_tf.weights import by_name as find
from mim_tf.weights.by_name import Preset, find_weights, list_presets

PACKAGED = list_presets()


@pytest.fixture
def folder(tmp_path, monkeypatch, tiny_model):
    """MIM_TF_PRESETS, with a preset "tiny", the weights of `tiny_model`."""
    folder = tmp_path / "presets"
    save_preset(tiny_model, folder, name="tiny", description="a test", half=True)
    monkeypatch.setenv("MIM_TF_PRESETS", str(folder))
    return folder


def test_load_by_name(folder, tiny_model):
    model = mim_tf.load_model("tiny")
    assert model.config == tiny_model.config
    for loaded, weight in zip(model.step.weights, tiny_model.step.weights, strict=True):
        np.testing.assert_array_equal(loaded, np.float16(weight))


@pytest.mark.usefixtures("folder")
def test_the_file_is_compared_once(monkeypatch):
    checked, check = [], Preset.check
    monkeypatch.setattr(Preset, "check", lambda preset: checked.append(check(preset)))
    mim_tf.load_model("tiny")
    assert len(checked) == 1


def test_numbers_of_two_bytes(folder):
    kinds = set()
    with h5py.File(find_weights("tiny")) as file:
        file["layers/functional"].visititems(
            lambda name, item: kinds.add(item.dtype) if isinstance(item, h5py.Dataset) else None
        )
    assert kinds == {np.dtype(np.float16)}


def test_all_are_listed_the_package_s_first(folder):
    assert list(list_presets()) == [*PACKAGED, "tiny"]


def test_the_package_goes_before_the_folder(folder):
    name = next(iter(PACKAGED))
    record = json.loads((folder / "tiny.json").read_text())
    (folder / f"{name}.json").write_text(json.dumps(record))
    assert find_weights(name) == PACKAGED[name].path
    assert list_presets()[name] == PACKAGED[name]


def test_a_file_of_that_name_goes_first(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny").write_bytes(b"mine")
    assert find_weights("tiny") == "tiny"


@pytest.mark.parametrize("path", ["a/tiny", "model.ckpt-80000", "none.weights.h5"])
def test_a_path_is_left_alone(folder, path):
    assert find_weights(path) == path


def test_the_prefix_of_a_checkpoint_is_a_path(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.index").touch()
    assert find_weights("model") == "model"


def test_damaged_and_missing(folder):
    weights = folder / "tiny.weights.h5"
    with weights.open("ab") as file:
        file.write(b"x")
    with pytest.raises(MimError, match=r"tiny\.weights\.h5 is not the file that .*SHA-256"):
        mim_tf.load_model("tiny")
    weights.unlink()
    with pytest.raises(MimError, match=r"weights tiny cannot be read.*Copy both files again"):
        mim_tf.load_model("tiny")


@pytest.mark.parametrize(
    "change",
    [
        "{",
        "[]",
        {"sha256": 3},
        {"scores": {"mim2019": {"mse": 1}}},
        {"scores": 3},
        {"of_a_later_version": 1},
    ],
)
def test_a_damaged_description(folder, change):
    record = folder / "tiny.json"
    if not isinstance(change, str):
        change = json.dumps(json.loads(record.read_text()) | change)
    record.write_text(change)
    with pytest.raises(MimError, match=r"tiny\.json does not describe a preset"):
        find_weights("tiny")


def test_an_unknown_name(folder):
    with pytest.raises(MimError, match=r"moving-mnist, tiny .*Did you mean tiny\?"):
        mim_tf.load_model("tinny")


def test_no_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MIM_TF_PRESETS", str(tmp_path / "none"))
    assert find_weights(next(iter(PACKAGED)))
    with pytest.raises(MimError, match="MIM_TF_PRESETS must name a folder"):
        find_weights("tiny")


@pytest.mark.parametrize("name", PACKAGED)
def test_weights_of_the_package_load(name):
    assert mim_tf.load_model(name).count_params() == PACKAGED[name].parameters


def test_weights_of_the_package_are_small():
    assert sum(os.path.getsize(preset.path) for preset in PACKAGED.values()) < 30e6
    assert all(path.stem in PACKAGED for path in find.PACKAGED.glob("*.json"))
