import dataclasses
from pathlib import Path

import numpy as np
import pytest

from mim_tf.config import DataConfig, DeviceConfig, ModelConfig, TrainingConfig
from mim_tf.errors import MimError


def test_defaults_are_the_paper_s_moving_mnist():
    config = ModelConfig()
    assert config.frame_shape == (64, 64, 1)
    assert config.num_hidden == (64, 64, 64, 64)
    assert (config.patch_size, config.grid) == (4, (16, 16))
    assert (config.input_length, config.horizon) == (10, 10)


def test_height_follows_width_unless_given():
    assert ModelConfig(img_width=32).img_height == 32
    assert ModelConfig(img_width=32, img_height=16).frame_shape == (16, 32, 1)


def test_a_configuration_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ModelConfig().img_width = 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"img_height": 30, "img_width": 64}, "patch_size"),
        ({"num_hidden": (64, 32)}, "num_hidden"),
        ({"num_hidden": ()}, "num_hidden"),
        ({"num_hidden": (4,) * 101}, "num_hidden"),
        ({"num_hidden": (4, float("nan"))}, "num_hidden"),
        ({"img_width": 64.5}, "img_width"),
        ({"filter_size": 4}, "filter_size"),
        ({"stride": 2}, "stride"),
        ({"total_length": 10}, "total_length"),
        ({"img_channel": 0}, "img_channel"),
        ({"mim_s": False}, "mim_n"),
        ({"precision": "float16"}, "precision"),
        ({"differencing": "papers"}, "differencing"),
        ({"differencing": "paper", "mim_n": False}, "differencing"),
    ],
)
def test_what_no_network_can_be_built_with(settings, message):
    with pytest.raises(MimError, match=message):
        ModelConfig(**settings)


def test_the_name_of_2019_is_the_same_network():
    assert ModelConfig(model_name="mim_pp") == ModelConfig(model_name="mim_star")


def test_what_training_refuses():
    with pytest.raises(MimError, match="batch_size must be at least 1"):
        TrainingConfig(batch_size=0)


def test_a_recipe_decides_what_is_not_given():
    assert TrainingConfig().optimizer == "adam"
    fast = TrainingConfig(recipe="fast", beta_1=0.5)
    assert (fast.optimizer, fast.beta_1, fast.reverse_input) == ("muon", 0.5, False)
    with pytest.raises(MimError, match="recipe must be paper2019 or fast"):
        TrainingConfig(recipe="best")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lr": float("nan")}, "lr must be a finite number"),
        ({"lr": float("inf")}, "lr must be a finite number"),
        ({"lr": 1e300}, "lr must be a finite number"),
        ({"lr": 1e-300}, "lr must be above 0"),
        ({"lr": "0.1"}, "lr must be a number"),
        ({"lr": 0}, "lr must be above 0"),
        ({"beta_1": 1.0}, "beta_1 must be below 1"),
        ({"beta_2": 0.999999999}, "beta_2 must be below 1"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"seed": 2**64}, "seed must be at most 4294967295"),
        ({"seed": 10**5000}, "seed must be at most 4294967295"),
        ({"batch_size": 2.5}, "batch_size must be a whole number"),
        ({"batch_size": float("nan")}, "batch_size must be a whole number"),
        ({"max_iterations": 10**10}, "max_iterations must be at most 500000000"),
        ({"display_interval": 2**63}, "display_interval must be at most 9223372036854775807"),
        ({"lr_schedule": "linear"}, "lr_schedule must be constant, cosine or wsd"),
    ],
)
def test_bounds_of_the_training(settings, message):
    with pytest.raises(MimError, match=message):
        TrainingConfig(**settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_digits": 10**9}, "num_digits must be at most 1000"),
        ({"train_sequences": 10**12}, "train_sequences must be at most 100000000"),
        ({"window_stride": 10**18}, "window_stride must be at most 1000000000"),
        ({"dbz_max": float("nan")}, "dbz_max must be a finite number"),
        ({"thresholds": (30, float("nan"))}, "thresholds must be a finite number"),
        ({"valid_fraction": float("inf")}, "valid_fraction must be a finite number"),
        ({"valid_fraction": 0.9, "test_fraction": 0.5}, "valid_fraction and test_fraction"),
        ({"thresholds": 30}, r"thresholds must be numbers, such as \(30,\)"),
        ({"region": None}, "region must be numbers"),
        ({"region": "1,2,3,4"}, "region must be numbers"),
        ({"resize": "yes"}, "resize must be True or False"),
        ({"scale": None}, "scale must be text"),
        ({"train_data_paths": 3}, "train_data_paths must be text"),
        ({"train_data_paths": ["a", 3]}, "train_data_paths"),
        ({"valid_data_paths": Path("a,b.npy")}, "a,b.npy"),
    ],
)
def test_bounds_of_the_data(settings, message):
    with pytest.raises(MimError, match=message):
        DataConfig(**settings)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (Path("a.npy"), "a.npy"),
        ([Path("a"), "b"], "a,b"),
        ((path for path in ("a", "b")), "a,b"),
        ((), ""),
        ("a, b", "a, b"),
    ],
)
def test_paths_of_data_become_text(given, kept):
    assert DataConfig(train_data_paths=given).train_data_paths == kept


def test_paths_and_arrays_become_text_and_tuples():
    assert TrainingConfig(save_dir=Path("runs")).save_dir == "runs"
    assert ModelConfig(num_hidden=np.array([8, 8])).num_hidden == (8, 8)
    assert ModelConfig(num_hidden=["8", "8"]).num_hidden == (8, 8)
    assert DataConfig("radar", thresholds=[30]).thresholds == (30.0,)


@pytest.mark.parametrize(
    ("config", "settings", "message"),
    [
        (ModelConfig, {"num_hidden": 8}, r"num_hidden must be numbers"),
        (ModelConfig, {"model_name": ["mim"]}, "model_name must be text"),
        (ModelConfig, {"scale": 3}, "scale must be a LinearScale"),
        (ModelConfig, {"layer_norm": 1}, "layer_norm must be True or False"),
        (TrainingConfig, {"recipe": ["fast"]}, "recipe must be text"),
        (TrainingConfig, {"reverse_input": "no"}, "reverse_input must be True or False"),
        (DeviceConfig, {"strategy": None}, "strategy must be text"),
    ],
)
def test_values_of_another_kind(config, settings, message):
    with pytest.raises(MimError, match=message):
        config(**settings)


@pytest.mark.parametrize(
    ("reverse_input", "reverse_img", "updates"),
    [(False, False, 1), (True, False, 2), (False, True, 2), (True, True, 4)],
)
def test_updates_of_an_iteration(reverse_input, reverse_img, updates):
    config = TrainingConfig(reverse_input=reverse_input, reverse_img=reverse_img)
    assert config.updates_per_iteration == updates
