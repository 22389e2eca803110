"""Weights of every kind by path: their configuration, and what is kept or refused."""

import dataclasses

import h5py
import keras
import numpy as np
import pytest

import mim_tf
from mim_tf.training.optimizers import compile_for_training
from mim_tf.values.grid import Axis, FrameGrid
from mim_tf.weights import load_weights, save_weights, stored_config
from tests.golden_cases import golden_checkpoint, load_golden
from tests.models.small_models import small_config


@pytest.fixture
def saved(tiny_model, tmp_path):
    save_weights(tiny_model, tmp_path / "tiny.weights.h5")
    return tmp_path / "tiny.weights.h5"


def test_a_file_of_version_0_1_loads(saved, tiny_config, tiny_model):
    """It has the counter of scheduled sampling. Its settings are in tests/models/test_stored.py."""
    with h5py.File(saved, "a") as file:
        file["layers/scheduled_sampling/vars/0"] = np.int32(7)
        file["layers/scheduled_sampling/vars"].attrs["name"] = "scheduled_sampling"
    assert stored_config(saved) == tiny_config
    model = mim_tf.load_model(saved)
    assert model.config == tiny_config
    np.testing.assert_equal(model.get_weights(), tiny_model.get_weights())


def test_half_precision_halves_the_file_and_rounds_the_weights(tmp_path, tiny_model):
    for half in (False, True):
        save_weights(tiny_model, tmp_path / f"{half}.h5", half=half)
    sizes = [(tmp_path / f"{half}.h5").stat().st_size for half in (False, True)]
    assert sizes[0] - sizes[1] > 1.5 * tiny_model.count_params()
    loaded = mim_tf.load_model(tmp_path / "True.h5")
    rounded = [np.float32(np.float16(weight)) for weight in tiny_model.weights]
    np.testing.assert_equal(loaded.get_weights(), rounded)


def test_keras_reads_our_file_and_we_read_its(saved, tmp_path, tiny_config, tiny_model):
    model = mim_tf.build_model(tiny_config)
    model.load_weights(saved)
    np.testing.assert_equal(model.get_weights(), tiny_model.get_weights())
    path = tmp_path / "keras.weights.h5"
    keras.Model.save_weights(tiny_model, path)  # without a configuration, as with version 0.1
    settings = dataclasses.asdict(tiny_config)
    assert stored_config(path, **settings) == tiny_config
    again = mim_tf.load_model(path, **settings)
    np.testing.assert_equal(again.get_weights(), tiny_model.get_weights())
    with pytest.raises(mim_tf.MimError, match=r"st_lstm_1/from_hidden/kernel is \[3, 3, "):
        mim_tf.load_model(path, **settings | {"filter_size": 1})


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


def test_lengths_may_change_and_the_architecture_may_not(tmp_path, tiny_config):
    path, config = tmp_path / "a.h5", dataclasses.replace(tiny_config, num_hidden=(4,))
    save_weights(mim_tf.build_model(config), path)
    assert mim_tf.load_model(path, input_length=2, total_length=9).config.horizon == 7
    load_weights(mim_tf.build_model(dataclasses.replace(config, precision="bfloat16")), path)
    apart = mim_tf.load_model(path, img_channel=3, channels_apart=True)
    np.testing.assert_array_equal(apart.get_weights()[0], mim_tf.load_model(path).get_weights()[0])
    changes = {"num_hidden": (3,)}, {"filter_size": 5}, {"differencing": "paper"}
    for change in (*changes, {"layer_norm": False}, {"img_channel": 3}):
        other = mim_tf.build_model(dataclasses.replace(config, **change))
        with pytest.raises(mim_tf.MimError, match=next(iter(change))):
            load_weights(other, path)


def test_a_checkpoint_is_loaded_as_it_is():
    golden = load_golden("mim")
    with pytest.raises(mim_tf.MimError, match="patch_size"):
        stored_config(golden_checkpoint("mim"))
    lengths = {name: getattr(golden.config, name) for name in ("input_length", "total_length")}
    model = mim_tf.load_model(golden_checkpoint("mim"), patch_size=2, **lengths)
    assert model.config == golden.config
    forecast = model(golden.arrays["frames"][0])[:, golden.config.input_length - 1 :]
    np.testing.assert_allclose(forecast, golden.arrays["pred_after"], atol=1e-5)


@pytest.mark.parametrize("read", [stored_config, mim_tf.load_model])
@pytest.mark.parametrize("name", ["none.h5", "folder", "empty.h5", "text.h5", "a.ckpt-7.index"])
def test_where_there_are_no_weights(tmp_path, read, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.h5").touch()
    (tmp_path / "text.h5").write_text("not HDF5")
    with pytest.raises(mim_tf.MimError, match=str(tmp_path / name.removesuffix(".index"))):
        read(tmp_path / name)


def test_a_width_alone_is_the_height_too(tmp_path):
    path = tmp_path / "m.weights.h5"
    grid = FrameGrid(Axis("lat", 16), Axis("lon", 16))
    config = small_config(frame_grid=grid, peephole="channel", layer_norm=False)
    mim_tf.save_weights(mim_tf.build_model(config), path)
    side = 2 * config.img_width
    found = mim_tf.load_model(path, img_width=side).config
    assert found.frame_shape[:2] == (side, side)
    assert found.frame_grid is None
