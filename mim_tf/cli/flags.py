"""Flags from dataclasses: each field is a flag, with its type, bounds and help.

The fields of configurations and of commands are declared with `mim_tf.config.fields.field`. absl
parses the command line, and its own flags (`--verbosity` and so on) are not among them.
"""

import os
import re
import typing
from collections.abc import Iterable, Sequence

from absl import flags

from mim_tf.config import RECIPES, DataConfig, DeviceConfig, ModelConfig, TrainingConfig
from mim_tf.config.datasets import find_data_set
from mim_tf.config.fields import flag_fields
from mim_tf.errors import MimError
from mim_tf.storage.paths import read_text
from mim_tf.values.text import did_you_mean, listed

FLAGS = flags.FLAGS
GROUPS = {
    ModelConfig: "Model",
    DataConfig: "Data",
    TrainingConfig: "Training",
    DeviceConfig: "Devices",
}
"""Titles of the flags of each configuration."""


class UsageError(MimError):
    """A command line that is wrong."""


def define_config_flags(
    *configs: type, values: flags.FlagValues = FLAGS, only: Iterable[str] | None = None
) -> None:
    """Define a flag for every field of `configs`, or for the fields named in `only`."""
    for config in configs:
        for field in flag_fields(config):
            if only is None or field.name in only:
                _define(field, GROUPS.get(config, "This command"), values)
    if DataConfig in configs and only is None:
        flags.DEFINE_alias("dataset_name", "dataset", flag_values=values)  # its name in 2019


def _define(field, group, values):
    kind, help = _kind(field), field.metadata["help"]
    choices, minimum = field.metadata.get("choices"), field.metadata.get("minimum")
    default, by_recipe = field.default, field.metadata.get("by_recipe")
    if by_recipe:
        help += f" Default: {', '.join(f'{v} for --recipe={k}' for k, v in by_recipe.items())}."
    where = {"flag_values": values, "module_name": group}
    if choices:
        flags.DEFINE_enum(field.name, default, list(choices), help, **where)
    elif kind is bool:
        flags.DEFINE_boolean(field.name, default, help, **where)
    elif kind is int:
        flags.DEFINE_integer(field.name, default, help, lower_bound=minimum, **where)
    elif kind is float:
        flags.DEFINE_float(field.name, default, help, lower_bound=minimum, **where)
    elif kind is list:
        flags.DEFINE_list(field.name, list(default), help, **where)
    else:
        default = _joined(default) if kind is tuple else default
        flags.DEFINE_string(field.name, default, help, **where)


def _kind(field):
    """Return the type of a value that is not None: tuple for numbers, list for texts."""
    if typing.get_origin(field.type) is tuple:
        return list if typing.get_args(field.type)[0] is str else tuple
    kinds = typing.get_args(field.type) or (field.type,)
    return next(kind for kind in kinds if kind is not type(None))


def _joined(numbers):
    return ",".join(f"{number:g}" for number in numbers)


def given(
    config: type, values: flags.FlagValues = FLAGS, only: Iterable[str] | None = None
) -> dict:
    """Return the values that the user or the recipe set, by the names of the fields of `config`.

    Args:
        config: of the fields.
        values: the flags.
        only: names of the fields that have a flag; None: all.

    Raises:
        MimError: for a list of numbers that is malformed.
    """
    fields = [field for field in flag_fields(config) if only is None or field.name in only]
    recipe = RECIPES[values.recipe] if "recipe" in values else {}
    if config is DataConfig and recipe:  # its defaults are for the data sets that use them
        used = find_data_set(values.dataset).settings
        recipe = {name: value for name, value in recipe.items() if name in used}
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
            f"Expected numbers separated by commas as --{field.name}, such as {example}; got "
            f"{value!r}."
        ) from None


def parse(values: flags.FlagValues, arguments: Sequence[str]) -> list[str]:
    """Set `values` to what `arguments` give, and return the arguments that are not flags.

    Raises:
        UsageError: for a flag that does not exist or has a wrong value, or a flagfile that cannot
            be read.
    """
    try:
        _check_flagfiles(arguments)
        values.set_gnu_getopt(True)  # flags may come after arguments
        return values(["mim", *arguments])[1:]
    except flags.UnrecognizedFlagError as error:
        guess = did_you_mean(f"--{error.flagname}", [f"--{name}" for name in values])
        raise UsageError(f"Unknown flag --{error.flagname}.{guess}") from None
    except flags.IllegalFlagValueError as error:
        raise UsageError(_about_value(values, str(error))) from None
    except (flags.Error, ValueError) as error:
        raise UsageError(f"{str(error).removesuffix('.')}.") from None


def _check_flagfiles(lines, seen=()):
    # absl opens a flagfile whatever it is, and would wait for a named pipe.
    for number, line in enumerate(lines):
        flag, _, path = line.strip().partition("=")
        if flag not in ("--flagfile", "-flagfile"):
            continue
        path = os.path.expanduser((path or " ".join(lines[number + 1 : number + 2])).strip())
        if path and path not in seen:
            _check_flagfiles(read_text(path, "a flagfile").splitlines(), (*seen, path))


def _about_value(values, message):
    match = re.match(r"flag --(\w+)=(.*?): ", message, re.DOTALL)
    if not match:
        return message
    name, value = match.groups()
    flag = values[name]
    if isinstance(flag, flags.EnumFlag):
        expected = listed(flag.parser.enum_values)
    else:
        expected = "true or false" if flag.boolean else flag.parser.syntactic_help
    return f"Expected {expected} as --{name}, got {value!r}."
