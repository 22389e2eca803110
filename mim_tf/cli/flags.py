"""Flags made from the fields of configurations."""

import typing
from collections.abc import Iterable

from absl import flags

from mim_tf.config import RECIPES, DataConfig, DeviceConfig, ModelConfig, TrainingConfig
from mim_tf.config.fields import flag_fields
from mim_tf.errors import MimError

FLAGS = flags.FLAGS
GROUPS = {
    ModelConfig: "Model",
    DataConfig: "Data",
    TrainingConfig: "Training",
    DeviceConfig: "Devices",
}
"""Titles of the flags of each configuration."""


def define_config_flags(*configs: type, values: flags.FlagValues = FLAGS) -> None:
    """Defines a flag for every field of `configs`."""
    for config in configs:
        for field in flag_fields(config):
            _define(field, values)
    if DataConfig in configs:
        flags.DEFINE_alias("dataset_name", "dataset", flag_values=values)  # its name in 2019


def define_fields(config: type, names: Iterable[str], values: flags.FlagValues) -> None:
    """Defines a flag for some fields of a configuration."""
    for field in flag_fields(config):
        if field.name in names:
            _define(field, values)


def _define(field, values):
    arguments = field.name, field.default, field.metadata["help"]
    choices, minimum = field.metadata.get("choices"), field.metadata.get("minimum")
    kind = _kind(field)
    if kind is tuple:
        name, default, help = arguments
        flags.DEFINE_string(name, _joined(default), help, flag_values=values)
    elif choices:
        name, default, help = arguments
        flags.DEFINE_enum(name, default, list(choices), help, flag_values=values)
    elif kind is bool:
        flags.DEFINE_boolean(*arguments, flag_values=values)
    elif kind is str:
        flags.DEFINE_string(*arguments, flag_values=values)
    else:
        define = {int: flags.DEFINE_integer, float: flags.DEFINE_float}[kind]
        define(*arguments, lower_bound=minimum, flag_values=values)


def _kind(field):
    """The type of a value that is not None."""
    if typing.get_origin(field.type) is tuple:
        return tuple
    kinds = typing.get_args(field.type) or (field.type,)
    return next(kind for kind in kinds if kind is not type(None))


def _joined(numbers):
    return ",".join(f"{number:g}" for number in numbers)


def given(
    config: type, values: flags.FlagValues = FLAGS, only: Iterable[str] | None = None
) -> dict:
    """Values of the flags the user set, or their recipe, by the names of the fields of `config`.

    Args:
        config: of the fields.
        values: the flags.
        only: names of the fields that have a flag; None: all.

    Raises:
        MimError: for a list of numbers that is none.
    """
    fields = [field for field in flag_fields(config) if only is None or field.name in only]
    recipe = RECIPES[values["recipe"].value] if "recipe" in values else {}
    chosen = {field.name: recipe[field.name] for field in fields if field.name in recipe}
    return chosen | {
        field.name: _value(field, values) for field in fields if values[field.name].present
    }


def _value(field, values):
    value = values[field.name].value
    if _kind(field) is not tuple:
        return value
    kind = typing.get_args(field.type)[0]
    try:
        return tuple(kind(number) for number in value.split(",") if number.strip())
    except ValueError:
        example = _joined(field.default or (1, 2))
        raise MimError(
            f"{field.name} must be numbers separated by commas, such as {example}; "
            f"received {value!r}."
        ) from None
