import dataclasses
import hashlib

import h5py
import numpy as np
import pytest

import mim_tf
from mim_tf import presets
from mim_tf.errors import MimError
from mim_tf.weights import save_weights


@pytest.fixture
def preset(tmp_path, monkeypatch, tiny_model):
    """A preset named "tiny", the weights of `tiny_model`."""
    path = tmp_path / "tiny.weights.h5"
    save_weights(tiny_model, path, half=True)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    preset = presets.Preset("a test", path.name, digest, {}, "no data", "none", "none")
    monkeypatch.setattr(presets, "FOLDER", tmp_path)
    monkeypatch.setitem(presets.PRESETS, "tiny", preset)
    return preset


def test_load_by_name(preset, tiny_model, tiny_frames):
    model = mim_tf.load_model("tiny")
    assert model.config == tiny_model.config
    for loaded, weight in zip(model.step.weights, tiny_model.step.weights, strict=True):
        np.testing.assert_array_equal(loaded, np.float16(weight))


def test_numbers_of_two_bytes(preset, tmp_path):
    kinds = set()
    with h5py.File(tmp_path / preset.file) as file:
        file["layers/functional"].visititems(
            lambda name, item: kinds.add(item.dtype) if isinstance(item, h5py.Dataset) else None
        )
    assert kinds == {np.dtype(np.float16)}


def test_a_file_of_that_name_goes_first(preset, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny").write_bytes(b"mine")
    assert presets.find_weights("tiny") == "tiny"


def test_damaged_and_missing(preset, tmp_path, monkeypatch):
    other = dataclasses.replace(preset, sha256="0" * 64)
    monkeypatch.setitem(presets.PRESETS, "tiny", other)
    with pytest.raises(MimError, match=r"tiny\.weights\.h5 is not the file that was released: .*0"):
        mim_tf.load_model("tiny")
    (tmp_path / "tiny.weights.h5").unlink()
    with pytest.raises(MimError, match=r"weights tiny cannot be read.*Install mim_tf again"):
        mim_tf.load_model("tiny")


@pytest.mark.parametrize("name", presets.PRESETS)
def test_released_weights_load(name):
    assert mim_tf.load_model(name).count_params()
