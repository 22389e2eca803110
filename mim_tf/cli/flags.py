"""Command line flags made from the configuration's fields, and back."""

import dataclasses

from absl import flags

from mim_tf.config import (
    ARCHITECTURE_FIELDS,
    DataConfig,
    DeviceConfig,
    ModelConfig,
    TrainingConfig,
)
from mim_tf.errors import MimError
from mim_tf.weights import stored_config

FLAGS = flags.FLAGS
_FREE_ON_RESUME = {
    "max_iterations",
    "display_interval",
    "test_interval",
    "snapshot_interval",
    "num_save_samples",
    "max_test_sequences",
    "rematerialise",
    "save_dir",
    "gen_frm_dir",
}


def define_flags(values: flags.FlagValues = FLAGS) -> None:
    """Defines a flag for every field of the configuration, and those of `run.py` itself."""
    flags.DEFINE_boolean(
        "is_training", True, "Train; False: evaluate --pretrained_model.", flag_values=values
    )
    flags.DEFINE_string(
        "pretrained_model",
        "",
        "Weights file, or prefix of a TensorFlow 1 checkpoint: what to evaluate, or what training "
        "starts from. The architecture it tells is used; a flag that contradicts it is an error.",
        flag_values=values,
    )
    flags.DEFINE_boolean(
        "resume",
        False,
        "Go on with the newest run in --save_dir from its last snapshot.",
        flag_values=values,
    )
    define_config_flags(ModelConfig, DataConfig, TrainingConfig, DeviceConfig, values=values)
    flags.DEFINE_alias("dataset_name", "dataset", flag_values=values)


def define_config_flags(*configs, values: flags.FlagValues = FLAGS) -> None:
    """Defines a flag for every field of `configs`."""
    for config in configs:
        for field in dataclasses.fields(config):
            _define(field, values)


def _define(field, values):
    default, help = field.default, field.metadata["help"]
    if field.metadata["by_recipe"]:
        default = field.metadata["by_recipe"]["paper2019"]
    if isinstance(default, tuple):
        default = ",".join(f"{number:g}" for number in default)
    define = {
        bool: flags.DEFINE_boolean,
        int: flags.DEFINE_integer,
        float: flags.DEFINE_float,
        str: flags.DEFINE_string,
        # A switch whose default depends on other settings.
        type(None): flags.DEFINE_boolean,
    }
    define[type(default)](field.name, default, help, flag_values=values)


def given(config_class) -> dict:
    """Values of the flags the user set, for the fields of `config_class`."""
    fields = dataclasses.fields(config_class)
    return {field.name: _value(field) for field in fields if FLAGS[field.name].present}


def _value(field):
    value = FLAGS[field.name].value
    if not isinstance(field.default, tuple):
        return value
    kind = type(field.default[0])
    try:
        return tuple(kind(number) for number in value.split(",") if number.strip())
    except ValueError as error:
        example = ",".join(f"{number:g}" for number in field.default)
        raise MimError(
            f"{field.name} must be numbers separated by commas, such as {example}; "
            f"received {value!r}."
        ) from error


def model_config() -> ModelConfig:
    """The model flags, over what the weights at --pretrained_model tell.

    Raises:
        MimError: if a flag that was set contradicts their architecture, or they cannot be read.
    """
    changes = given(ModelConfig)
    if not FLAGS.pretrained_model:
        return ModelConfig(**changes)
    stored = stored_config(FLAGS.pretrained_model, **changes)
    wanted = dataclasses.replace(stored, **changes)
    for name, value, kept in _differences(wanted, stored):
        if name in ARCHITECTURE_FIELDS:
            raise MimError(
                f"--{name}={value} contradicts {FLAGS.pretrained_model}, where {name} is {kept}. "
                "Leave the flag out: the architecture comes from the file."
            )
    return wanted


def resumed(stored):
    """A configuration of the run to resume, with the flags that may change meanwhile.

    Raises:
        MimError: if a flag that was set would make it another run.
    """
    changes = given(type(stored))
    if changes.get("precision") == "auto":  # chosen when the run started
        del changes["precision"]
    wanted = dataclasses.replace(stored, **changes)
    for name, value, kept in _differences(wanted, stored):
        if name not in _FREE_ON_RESUME:
            raise MimError(
                f"--{name}={value} differs from the run to resume, where it is {kept}. Leave the "
                "flag out, or start a new run without --resume."
            )
    return wanted


def _differences(wanted, stored):
    """(name, wanted, stored) of each field that differs, an img_height of 0 resolved in both."""
    for name, value in vars(wanted).items():
        if value != getattr(stored, name):
            yield name, value, getattr(stored, name)
