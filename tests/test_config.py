"""Configurations: defaults, values that are refused, and values that are converted."""

from pathlib import Path

import numpy as np
import pytest

from mim_tf.config import DataConfig, DeviceConfig, ModelConfig, TrainingConfig
from mim_tf.errors import MimError
from mim_tf.storage.paths import divided, open_file


def test_defaults_are_the_paper_s_moving_mnist():
    config = ModelConfig()
    assert config.frame_shape == (64, 64, 1)
    assert config.num_hidden == (64, 64, 64, 64)
    assert (config.patch_size, config.grid) == (4, (16, 16))
    assert (config.input_length, config.horizon) == (10, 10)


def test_height_follows_width_unless_given():
    assert ModelConfig(img_width=32).img_height == 32
    assert ModelConfig(img_width=32, img_height=16).frame_shape == (16, 32, 1)


NAN = float("nan")
# Values that are refused, by configuration. The message names the first of them.
REFUSED = {
    ModelConfig: [
        {"img_height": 30, "img_width": 64},
        *({"num_hidden": n} for n in ((64, 32), (), (4,) * 101, (4, NAN), 8)),
        {"img_width": 64.5},
        {"filter_size": 4},
        {"stride": 2},
        {"total_length": 10},
        {"img_channel": 0},
        {"mim_s": False},
        {"precision": "float16"},
        {"differencing": "papers"},
        {"differencing": "paper", "mim_n": False},
        {"model_name": ["mim"]},
        {"scale": 3},
        {"layer_norm": 1},
    ],
    TrainingConfig: [
        *({"batch_size": size} for size in (0, 2.5, NAN)),
        *({"recipe": recipe} for recipe in ("best", ["fast"])),
        {"reverse_input": "no"},
        *({"lr": lr} for lr in (NAN, float("inf"), 1e300, 1e-300, "0.1", 0)),
        {"beta_1": 1.0},
        {"beta_2": 0.999999999},
        *({"seed": seed} for seed in (-1, 2**64, 10**5000)),
        {"max_iterations": 10**10},
        {"display_interval": 2**63},
        {"lr_schedule": "linear"},
        # Shares are no percentages.
        *({name: 66} for name in ("short_share", "sampling_share", "sampling_start_value")),
    ],
    DataConfig: [
        {"dataset": "nowhere"},
        {"num_digits": 10**9},
        {"train_sequences": 10**12},
        {"window_stride": 10**18},
        {"window_stride": 2, "dataset": "kth"},
        {"frame_interval": 2, "dataset": "taxibj"},
        {"thresholds": (3,), "dataset": "folder"},
        *({"thresholds": levels} for levels in (30, (30, NAN))),
        {"dbz_max": NAN},
        {"valid_fraction": float("inf")},
        {"valid_fraction": 0.9, "test_fraction": 0.5},
        *({"region": region} for region in (None, "1,2,3,4")),
        {"resize": "yes"},
        {"scale": None},
        *({"train_data_paths": paths} for paths in (3, ["a", 3])),
        {"valid_data_paths": Path("a,b.npy")},
    ],
    DeviceConfig: [
        *({"strategy": name} for name in (None, "multi_worker_mirrored", "twice")),
        {"num_processes": 2},
        {"coordinator": "here"},
        {"process_id": 2, "coordinator": "here:1", "num_processes": 2},
    ],
}


@pytest.mark.parametrize(
    ("config", "settings"), [(config, each) for config in REFUSED for each in REFUSED[config]]
)
def test_wrong_values_are_named(config, settings):
    name = next(iter(settings))
    others = {"img_height": "patch_size", "valid_fraction": "fraction"}
    expected = (others | {"num_processes": "coordinator"}).get(name, name)
    with pytest.raises(MimError, match=expected) as caught:
        config(**settings)
    assert len(str(caught.value)) < 400


def test_the_name_of_2019_is_the_same_network():
    assert ModelConfig(model_name="mim_pp") == ModelConfig(model_name="mim_star")


def test_a_recipe_decides_what_is_not_given():
    assert TrainingConfig().optimizer == "adam"
    fast = TrainingConfig(recipe="fast", beta_1=0.5)
    assert (fast.optimizer, fast.beta_1, fast.reverse_input) == ("muon", 0.5, False)


def test_paths_and_arrays_become_text_and_tuples():
    given = [Path("a.npy"), [Path("a"), "b"], (path for path in ("a", "b")), (), "a, b"]
    kept = [DataConfig(train_data_paths=paths).train_data_paths for paths in given]
    assert kept == ["a.npy", "a,b", "a,b", "", "a, b"]
    assert TrainingConfig(save_dir=Path("runs")).save_dir == "runs"
    assert ModelConfig(num_hidden=np.array([8, 8])).num_hidden == (8, 8)
    assert ModelConfig(num_hidden=["8", "8"]).num_hidden == (8, 8)
    assert DataConfig("radar", thresholds=[30]).thresholds == (30.0,)


def test_commas_divide_paths_unless_the_whole_is_a_path(in_tmp):
    (in_tmp / "rain,2020.npy").touch()
    assert divided(" a, b,") == ["a", "b"]
    assert divided("rain,2020.npy") == ["rain,2020.npy"]
    for path in ("rain,2020.npy", Path("rain,2020.npy"), ["rain,2020.npy"]):
        assert DataConfig("array", train_data_paths=path).train_data_paths == "rain,2020.npy"
    for paths in (["rain,2020.npy", "b"], Path("none,2020.npy"), [3]):
        with pytest.raises(MimError, match="without commas"):
            DataConfig("array", train_data_paths=paths)


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("https://a.org/x.npy", "download it first"),
        ("s3://a/b.zarr", "download it first"),
        ("file:///a/b.nc", "give /a/b.nc"),
    ],
)
def test_urls_are_no_paths(url, remedy):
    for value in (url, f"a.npy,{url}", [url]):
        with pytest.raises(MimError, match=f"is not a path; {remedy}"):
            DataConfig("array", valid_data_paths=value)
    with pytest.raises(MimError, match=f"is not a path; {remedy}"):
        open_file(Path(url))
