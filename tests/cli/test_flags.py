from pathlib import Path

import h5py
import pytest
from absl import flags as absl_flags

from mim_tf.cli import flags
from mim_tf.config import DataConfig, ModelConfig, TrainingConfig
from mim_tf.errors import MimError
from mim_tf.weights.configuration import to_json
from mim_tf.weights.hdf5 import ATTRIBUTE
from tests.tf1_checkpoints import golden_checkpoint

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


@pytest.fixture
def parse(monkeypatch):
    """Parses a command line into flags of its own."""
    values = absl_flags.FlagValues()
    monkeypatch.setattr(flags, "FLAGS", values)
    flags.define_flags(values)
    return lambda *arguments: values(["run.py", *arguments])


def test_defaults_are_those_of_the_configuration(parse):
    parse()
    assert flags.model_config() == ModelConfig()
    assert flags.given(DataConfig) == {}
    assert flags.FLAGS.lr == TrainingConfig.lr


def test_names_of_2019(parse):
    parse("--dataset_name=mnist", "--num_hidden=8,8", "--layer_norm=False", "--img_height=32")
    assert flags.given(DataConfig) == {"dataset": "mnist"}
    config = flags.model_config()
    assert (config.num_hidden, config.layer_norm, config.img_height) == ((8, 8), False, 32)


@pytest.mark.parametrize("path", sorted(EXPERIMENTS.glob("*.cfg")), ids=lambda path: path.stem)
def test_every_experiment_is_a_valid_configuration(parse, path):
    parse(f"--flagfile={path}")
    flags.model_config()
    assert TrainingConfig(**flags.given(TrainingConfig)).save_dir != TrainingConfig.save_dir


def test_num_hidden_must_be_numbers(parse):
    parse("--num_hidden=8,x")
    with pytest.raises(MimError, match=r"separated by commas, such as .* received '8,x'"):
        flags.model_config()


@pytest.fixture
def stored(tmp_path):
    """A function that makes a weights file with a configuration and no weights."""

    def store(**settings):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file.attrs[ATTRIBUTE] = to_json(ModelConfig(**settings))
        return f"--pretrained_model={tmp_path / 'a.h5'}"

    return store


def test_the_architecture_comes_from_the_file(parse, stored):
    parse(stored(num_hidden=(8, 8), img_width=32), "--total_length=30", "--num_hidden=8,8")
    config = flags.model_config()
    assert (config.num_hidden, config.img_width, config.total_length) == ((8, 8), 32, 30)


def test_a_flag_that_contradicts_the_file_is_an_error(parse, stored):
    parse(stored(), "--filter_size=3")
    with pytest.raises(MimError, match=r"--filter_size=3 contradicts .*a\.h5, where .* is 5"):
        flags.model_config()


def test_a_file_of_keras_leaves_the_architecture_to_the_flags(parse, tmp_path):
    with h5py.File(tmp_path / "a.weights.h5", "w") as file:
        file.create_group("layers")
    parse(f"--pretrained_model={tmp_path / 'a.weights.h5'}", "--num_hidden=8,8")
    assert flags.model_config() == ModelConfig(num_hidden=(8, 8))


PREDRNN = f"--pretrained_model={golden_checkpoint('predrnn')}"


def test_flags_fill_in_what_a_checkpoint_does_not_tell(parse):
    parse(PREDRNN, "--patch_size=2", "--img_width=24", "--total_length=30")
    config = flags.model_config()
    assert (config.model_name, config.num_hidden) == ("predrnn", (4, 4, 4))
    assert (config.frame_shape, config.total_length) == ((24, 24, 1), 30)


def test_a_checkpoint_may_need_flags(parse):
    parse(PREDRNN, "--patch_size=2")
    with pytest.raises(MimError, match="give img_width"):
        flags.model_config()


def test_a_flag_that_contradicts_the_checkpoint_is_an_error(parse):
    parse(f"--pretrained_model={golden_checkpoint('mim')}", "--patch_size=2", "--img_width=64")
    with pytest.raises(MimError, match=r"--img_width=64 contradicts .*ckpt-3, where .* is 16"):
        flags.model_config()


def test_a_resumed_run_may_be_longer_but_not_another(parse):
    parse("--max_iterations=9", "--lr=0.1")
    with pytest.raises(MimError, match=r"--lr=0\.1 differs from the run to resume"):
        flags.resumed(TrainingConfig())
    parse("--max_iterations=9", "--lr=0.001")
    assert flags.resumed(TrainingConfig(seed=4)) == TrainingConfig(max_iterations=9, seed=4)


def test_a_height_that_follows_the_width_is_not_another_run(parse):
    parse("--img_height=0")
    assert flags.resumed(ModelConfig(img_width=32)) == ModelConfig(img_width=32)
