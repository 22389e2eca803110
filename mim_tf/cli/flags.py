"""Names in sentences."""

import difflib
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


def listed(words: Sequence[str]) -> str:
    """`a, b or c`."""
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def did_you_mean(wrong: str, known: Iterable[str], prefix: str = "") -> str:
    """A question for the name in `known` nearest to `wrong`; empty if none is near."""
    near = difflib.get_close_matches(wrong, list(known), n=1)
    return f" Did you mean {prefix}{near[0]}?" if near else ""


# MERGED: Flags made from the fields of configurations.


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
    if config is DataConfig and recipe:  # its defaults are for the data sets that use them
        used = find_data_set(values["dataset"].value).settings
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
            f"{field.name} must be numbers separated by commas, such as {example}; "
            f"received {value!r}."
        ) from None


# MERGED: A command line and its flagfiles become values of flags, or one sentence about what is wrong.


class UsageError(MimError):
    """A command line that is wrong."""


def parse(values: flags.FlagValues, arguments: Sequence[str]) -> list[str]:
    """Sets `values` to what `arguments` say, and returns the arguments that are not flags.

    Raises:
        UsageError: for the first flag that does not exist or has a wrong value, or a flagfile that
            cannot be read.
    """
    try:
        _check_flagfiles(arguments)
    except MimError as error:
        raise UsageError(f"The flagfile cannot be read: {error}") from None
    values.set_gnu_getopt(True)  # flags may come after arguments
    try:
        return values(["mim", *arguments])[1:]
    except flags.UnrecognizedFlagError as error:
        guess = did_you_mean(error.flagname, values, "--")
        raise UsageError(f"There is no flag --{error.flagname}.{guess}") from None
    except flags.IllegalFlagValueError as error:
        raise UsageError(_about_value(values, str(error))) from None
    except (flags.Error, ValueError) as error:
        raise UsageError(f"{error}.") from None


def _check_flagfiles(lines, seen=()):
    """Raises `MimError` for a flagfile, named in a command line or in another, that is no text."""
    # absl opens whatever has the name, and would wait for a named pipe.
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
    flag, guess = values[name], ""
    if isinstance(flag, flags.EnumFlag):
        expected = listed(flag.parser.enum_values)
        guess = did_you_mean(value, flag.parser.enum_values, f"--{name}=")
    else:
        expected = "true or false" if flag.boolean else flag.parser.syntactic_help
    return f"--{name} must be {expected}, received {value!r}.{guess}"
