"""A corrupted state is detected, and the previous one used."""

import dataclasses
import re

import h5py
import keras
import numpy as np
import pytest

import mim_tf
from mim_tf.config import DataConfig, ModelConfig, TrainingConfig
from mim_tf.errors import MimError
from mim_tf.runs.folder import PREVIOUS_STATE, STATE
from mim_tf.runs.record import read_record, update_record, write_record
from mim_tf.training.optimizers import compile_for_training
from mim_tf.training.state import load_state, save_state


@pytest.fixture(scope="module")
def model():
    """Not the model of all tests, because it is compiled."""
    model = mim_tf.build_model(
        mim_tf.ModelConfig("predrnn", 8, num_hidden=(2,), filter_size=1, total_length=12)
    )
    compile_for_training(model)
    return model


def updates(model):
    return int(keras.ops.convert_to_numpy(model.optimizer.iterations))


def save(model, folder, *counts):
    for count in counts:
        model.optimizer.iterations.assign(count)
        save_state(model, folder)


def test_the_last_two_states_are_kept_and_nothing_else(model, tmp_path):
    save(model, tmp_path, 1, 2, 3)
    assert {path.name for path in tmp_path.iterdir()} == {STATE, PREVIOUS_STATE}
    load_state(model, tmp_path)
    assert updates(model) == 3


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGES = [
    flip,
    lambda path: path.write_bytes(path.read_bytes()[:-1000]),
    lambda path: path.write_bytes(b""),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_corrupted_state_is_logged_and_the_previous_one_used(model, tmp_path, damage, caplog):
    save(model, tmp_path, 1, 2)
    damage(tmp_path / STATE)
    load_state(model, tmp_path)
    assert updates(model) == 1
    assert re.search(f"{tmp_path / STATE}[: ]", caplog.text)
    damage(tmp_path / PREVIOUS_STATE)
    with pytest.raises(MimError, match=r"training\.state[: ].*\.previous[: ]"):
        load_state(model, tmp_path)


def test_a_kill_between_two_renames_leaves_the_previous_state(model, tmp_path):
    save(model, tmp_path, 1, 2)
    (tmp_path / STATE).unlink()
    load_state(model, tmp_path)
    assert updates(model) == 1


def without_optimizer(model, path):
    mim_tf.save_weights(model, path)


def with_negative_iterations(model, path):
    model.optimizer.iterations.assign(-7)
    mim_tf.save_weights(model, path, with_optimizer=True)


def with_nan_moments(model, path):
    mim_tf.save_weights(model, path, with_optimizer=True)
    with h5py.File(path, "a") as file:
        file["optimizer/vars/5"][...] = np.nan


@pytest.mark.parametrize("write", [without_optimizer, with_negative_iterations, with_nan_moments])
def test_an_impossible_state_is_refused(model, tmp_path, write):
    write(model, tmp_path / STATE)
    with pytest.raises(MimError, match=STATE):
        load_state(model, tmp_path)


def test_paths_given_on_resume_are_as_seen_from_there(tmp_path, monkeypatch):
    run, there, here = (tmp_path / name for name in ("run", "there", "here"))
    for folder in (run, there / "data", here / "data"):
        folder.mkdir(parents=True)
    monkeypatch.chdir(there)
    data, training = DataConfig("folder", "data"), TrainingConfig()
    write_record(run, ModelConfig(), data, training, {})
    monkeypatch.chdir(here)
    update_record(run, data, training)
    assert read_record(run)[1].train_data_paths == str(here / "data")


def test_a_cosine_that_rises_again_is_told(tmp_path, caplog):
    training = TrainingConfig(recipe="fast", lr_schedule="cosine", short_share=0)
    write_record(tmp_path, ModelConfig(), DataConfig(), training, {})
    longer = dataclasses.replace(training, max_iterations=2 * training.max_iterations)
    update_record(tmp_path, DataConfig(), longer)
    assert "It may jump" in caplog.text
