"""Models in `.keras` files: loaded with their policy, and refused if damaged or hostile."""

import contextlib
import dataclasses
import json
import os
import tempfile
import zipfile

import keras
import numpy as np
import pytest

import mim_tf
from mim_tf.weights import load_weights, stored_config


@pytest.fixture(scope="module")
def model(tiny_config):
    return mim_tf.build_model(dataclasses.replace(tiny_config, img_width=8, filter_size=1))


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    model.save(path)
    return path


def rewritten(source, path, method=zipfile.ZIP_STORED, **members):
    """A copy of a `.keras` file with other contents; None leaves a member out."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w", method) as new:
        for name in old.namelist():
            content = members.get(name.split(".")[0], old.read(name))
            if content is not None:
                new.writestr(name, content)
    return path


def test_the_whole_model_is_read(model, saved):
    assert stored_config(saved) == model.config
    copy = mim_tf.load_model(saved, total_length=9)
    assert copy.config.horizon == 6
    np.testing.assert_equal(copy.get_weights(), model.get_weights())


def test_the_policy_is_that_of_the_file(model, saved, tmp_path):
    path = tmp_path / "mixed.keras"
    mim_tf.VideoPredictor(model.config, dtype="mixed_bfloat16").save(path)
    copy = mim_tf.load_model(path)
    assert copy.dtype_policy.name == "mixed_bfloat16"
    assert "bfloat16" in {layer.compute_dtype for layer in copy.step.layers}
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        assert mim_tf.load_model(saved).dtype_policy.name == "float32"
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize(
    ("dtype", "settings", "words"),
    [
        *((each, {}, "") for each in ("int8", {"config": {"name": ["x"]}}, {"config": None}, 7)),
        ("float32", {"colour": 1}, "colour"),  # of a later version
    ],
)
def test_a_policy_or_setting_that_no_model_has(saved, tmp_path, dtype, settings, words):
    content = json.loads(zipfile.ZipFile(saved).read("config.json"))
    content["config"]["dtype"] = dtype
    content["config"]["config"] |= settings
    path = rewritten(saved, tmp_path / "other.keras", config=json.dumps(content))
    with pytest.raises(mim_tf.MimError, match=rf"other\.keras.*{words}"):
        mim_tf.load_model(path)


def test_weights_of_another_setting_are_refused(model, saved):
    other = mim_tf.build_model(dataclasses.replace(model.config, num_hidden=(3, 3)))
    with pytest.raises(mim_tf.MimError, match=r"model\.keras .*num_hidden"):
        load_weights(other, saved)


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"config": None}, r"config\.json"),
        ({"model": None}, r"model\.weights\.h5"),
        ({"config": b"{"}, "configuration"),
        ({"config": b"[" * 10**5}, "configuration"),
        ({"model": b"none"}, "HDF5"),
        ({"model": bytes(10**6), "method": zipfile.ZIP_DEFLATED}, "1000000 bytes"),
    ],
)
def test_damaged_files(saved, tmp_path, members, words):
    path = rewritten(saved, tmp_path / "damaged.keras", **members)
    with pytest.raises(mim_tf.MimError, match=f"{path}.*{words}"):
        mim_tf.load_model(path)


def test_a_truncated_file(saved, tmp_path):
    path = tmp_path / "half.keras"
    path.write_bytes(saved.read_bytes()[:5000])
    with pytest.raises(mim_tf.MimError, match=f"^{path}"):
        mim_tf.load_model(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_byte_of_a_compressed_file(saved, tmp_path, method):
    path = rewritten(saved, tmp_path / "packed.keras", method)
    place = zipfile.ZipFile(path).getinfo("model.weights.h5").header_offset
    assert stored_config(path) == stored_config(saved)
    content = bytearray(path.read_bytes())
    content[place + 46 : place + 80] = bytes(34)  # behind the header, which is 30 bytes and a name
    path.write_bytes(content)
    with pytest.raises(mim_tf.MimError, match=f"^{path}"):
        mim_tf.load_model(path)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the full disk of Linux")
def test_a_full_disk_is_no_fault_of_the_file(saved, tmp_path, monkeypatch):
    (tmp_path / saved.name).symlink_to("/dev/full")
    monkeypatch.setattr(tempfile, "TemporaryDirectory", lambda: contextlib.nullcontext(tmp_path))
    with pytest.raises(OSError, match="No space left"):
        mim_tf.load_model(saved)


def test_models_of_others(tmp_path):
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "other.keras")
    with pytest.raises(mim_tf.MimError, match="Sequential"):
        mim_tf.load_model(tmp_path / "other.keras")
