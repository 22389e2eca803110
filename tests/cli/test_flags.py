import dataclasses

import pytest
from absl import flags as absl_flags

from mim_tf.cli.flags import GROUPS, define_config_flags, given
from mim_tf.config import DataConfig, DeviceConfig, ModelConfig, TrainingConfig
from mim_tf.config.fields import flag_fields
from mim_tf.errors import MimError


@pytest.fixture
def values():
    """Flags of all configurations."""
    values = absl_flags.FlagValues()
    define_config_flags(*GROUPS, values=values)
    return values


@pytest.mark.parametrize("config", [ModelConfig, DataConfig, TrainingConfig, DeviceConfig])
def test_every_field_is_a_flag_and_none_is_given(values, config):
    values(["mim"])
    assert given(config, values) == {}
    assert all(field.name in values for field in flag_fields(config))
    assert config(**given(config, values)) == config()


def test_values_have_the_types_of_their_fields(values):
    values(
        [
            "mim",
            "--dataset_name=mnist",  # as in 2019
            "--num_hidden=8,8",
            "--layer_norm=False",
            "--lr=1",
            "--scheduled_sampling",
            "--thresholds=1,2.5",
            "--seed=3",
        ]
    )
    assert given(ModelConfig, values) == {"num_hidden": (8, 8), "layer_norm": False}
    assert given(DataConfig, values) == {"dataset": "mnist", "thresholds": (1.0, 2.5)}
    assert given(TrainingConfig, values) == {"lr": 1.0, "scheduled_sampling": True, "seed": 3}


@dataclasses.dataclass
class Bounded:
    size: int = dataclasses.field(default=1, metadata={"help": "", "minimum": 1})
    kind: str = dataclasses.field(default="a", metadata={"help": "", "choices": ("a", "b")})


@pytest.mark.parametrize("argument", ["--size=0", "--kind=c"])
def test_declared_bounds_and_choices_hold(argument):
    values = absl_flags.FlagValues()
    define_config_flags(Bounded, values=values)
    with pytest.raises(absl_flags.IllegalFlagValueError):
        values(["mim", argument])


def test_num_hidden_must_be_numbers(values):
    values(["mim", "--num_hidden=8,x"])
    with pytest.raises(MimError, match=r"separated by commas, such as .* received '8,x'"):
        given(ModelConfig, values)
