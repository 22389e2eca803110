import dataclasses
import subprocess
import sys

import h5py
import numpy as np
import pytest

import mim_tf
from mim_tf.training.compile import compile_for_training
from mim_tf.weights import load_weights, read_config, save_weights


@pytest.fixture
def saved(tmp_path, tiny_model):
    path = tmp_path / "tiny.weights.h5"
    save_weights(tiny_model, path)
    return path


def test_a_file_rebuilds_its_model_in_a_fresh_process(saved, tiny_model, tiny_frames):
    np.save(saved.with_name("frames.npy"), tiny_frames)
    code = (
        "import sys, mim_tf, numpy as np; model = mim_tf.load_model(sys.argv[1]); "
        "np.save(sys.argv[3], model(np.load(sys.argv[2])))"
    )
    predictions = saved.with_name("predictions.npy")
    arguments = [str(saved), str(saved.with_name("frames.npy")), str(predictions)]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True)
    np.testing.assert_allclose(np.load(predictions), tiny_model(tiny_frames), atol=1e-6)


def test_the_configuration_is_inside(saved, tiny_config):
    assert read_config(saved) == tiny_config


def test_the_sampling_counter_is_saved(tmp_path, tiny_model):
    tiny_model.sampling.updates.assign(7)
    save_weights(tiny_model, tmp_path / "a.weights.h5")
    assert int(mim_tf.load_model(tmp_path / "a.weights.h5").sampling.updates) == 7


def test_keras_reads_the_file_too(saved, tiny_config, tiny_model):
    model = mim_tf.build_model(tiny_config)
    model.load_weights(saved)
    for ours, theirs in zip(tiny_model.weights, model.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_optimizer_is_left_out_unless_asked_for(tmp_path, tiny_model):
    compile_for_training(tiny_model, 1e-3)
    small, large = tmp_path / "small.weights.h5", tmp_path / "large.state"
    save_weights(tiny_model, small)
    save_weights(tiny_model, large, with_optimizer=True)
    with h5py.File(small) as file:
        assert "optimizer" not in file
    tiny_model.optimizer.iterations.assign(3)
    load_weights(tiny_model, large)
    assert int(tiny_model.optimizer.iterations) == 0


def test_lengths_may_change(saved, tiny_frames):
    model = mim_tf.load_model(saved, input_length=2, total_length=9)
    assert mim_tf.predict(model, tiny_frames[:, :2], model.config.horizon).shape[1] == 7


@pytest.mark.parametrize("change", [{"num_hidden": (4, 4, 4)}, {"filter_size": 5}])
def test_another_architecture_is_named(saved, tiny_config, change):
    model = mim_tf.build_model(dataclasses.replace(tiny_config, **change))
    with pytest.raises(mim_tf.MimError, match=f"another architecture: its {next(iter(change))}"):
        load_weights(model, saved)


def test_a_missing_file(tmp_path):
    with pytest.raises(mim_tf.MimError, match="No weights file at"):
        mim_tf.load_model(tmp_path / "none.h5")


def test_a_foreign_file(tmp_path):
    (tmp_path / "a.h5").write_text("not HDF5")
    with pytest.raises(mim_tf.MimError, match="cannot be read as HDF5"):
        mim_tf.load_model(tmp_path / "a.h5")


def test_a_file_without_configuration(tmp_path, tiny_model):
    tiny_model.save_weights(tmp_path / "keras.weights.h5")
    with pytest.raises(mim_tf.MimError, match="no configuration of mim_tf inside"):
        mim_tf.load_model(tmp_path / "keras.weights.h5")


@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_a_truncated_file(saved, keep):
    content = saved.read_bytes()
    saved.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(mim_tf.MimError, match=r"truncated|damaged"):
        mim_tf.load_model(saved)


def test_weights_that_are_missing_inside(saved):
    with h5py.File(saved, "a") as file:
        del file["layers/functional"]
    with pytest.raises(mim_tf.MimError, match="damaged"):
        mim_tf.load_model(saved)


def test_a_failed_write_leaves_the_old_file(saved, tiny_model, monkeypatch):
    before = saved.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("mim_tf.weights.files.os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        save_weights(tiny_model, saved)
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]
