"""Flags from dataclasses: each field is a flag, with its type, bounds and help.

The fields of configurations and of commands are declared with `mim_tf.config.fields.field`. absl
parses the command line, and its own flags (`--verbosity` and so on) are not among them.
"""

import itertools
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


_OF_2019 = {
    "n_gpu": "--strategy=mirrored trains on all devices that CUDA_VISIBLE_DEVICES shows; leave it "
    "out for one",
    "allow_gpu_growth": "Set the environment variable TF_FORCE_GPU_ALLOW_GROWTH=true instead",
    "is_training": "Leave it out: mim train trains, mim evaluate evaluates",
}
"""Flag of the 2019 code without a flag of that name here -> what replaces it."""

_ELSEWHERE = {
    **dict.fromkeys(("learning_rate", "learning-rate"), "--lr"),
    **dict.fromkeys(("epoch", "epochs", "max_epochs", "steps"), "--max_iterations"),
    **dict.fromkeys(("device", "gpu", "gpus"), "the variable CUDA_VISIBLE_DEVICES"),
    **dict.fromkeys(("dataname", "data"), "--dataset"),
    **dict.fromkeys(("data_root", "data_path", "data_dir"), "--train_data_paths"),
    **dict.fromkeys(("method", "model"), "--model_name"),
    "pre_seq_length": "--input_length",
    "aft_seq_length": "--total_length, which counts the given frames too",
}
"""Flag of other programs -> what is nearest here."""

_WORDS = ("true", "false", "yes", "no", "auto")


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


class _ListParser(flags.ArgumentParser):
    """Parser of values of one kind, separated by commas."""

    def __init__(self, kind):
        self.kind = kind
        self.syntactic_help = f"{'names' if kind is str else 'numbers'} separated by commas"

    def parse(self, argument):
        parts = argument.split(",") if isinstance(argument, str) else argument
        return tuple(self.kind(part) for part in map(str.strip, map(str, parts)) if part)


class _SwitchParser(flags.ArgumentParser):
    """Parser of a switch that may also be "auto"."""

    syntactic_help = "true, false or auto"

    def parse(self, argument):
        return "auto" if argument == "auto" else flags.BooleanParser().parse(argument)


def _define(field, group, values):
    kind, *_ = typing.get_args(field.type) or (field.type,)
    default, help = field.default, field.metadata["help"]
    if by_recipe := field.metadata["by_recipe"]:
        help += f" Default: {', '.join(f'{v} for --recipe={k}' for k, v in by_recipe.items())}."
    where = {"flag_values": values, "module_name": group}
    if field.metadata["choices"]:
        flags.DEFINE_enum(field.name, default, list(field.metadata["choices"]), help, **where)
    elif typing.get_origin(field.type) is tuple:
        shown = flags.ListSerializer(",")
        flags.DEFINE(_ListParser(kind), field.name, default, help, serializer=shown, **where)
    elif typing.get_args(field.type) == (bool, str):
        switch = flags.Flag(_SwitchParser(), None, field.name, default, help, boolean=True)
        flags.DEFINE_flag(switch, values, group)
    elif kind in (int, float):
        define = flags.DEFINE_integer if kind is int else flags.DEFINE_float
        define(field.name, default, help, lower_bound=field.metadata["minimum"], **where)
    else:
        define = flags.DEFINE_boolean if kind is bool else flags.DEFINE_string
        define(field.name, default, help, **where)


def given(config: type, values: flags.FlagValues = FLAGS) -> dict:
    """Return the values that the user or the recipe set, by the names of the fields of `config`."""
    names = [field.name for field in flag_fields(config) if field.name in values]
    recipe = RECIPES[values.recipe] if "recipe" in values else {}
    if config is DataConfig and recipe:  # its defaults are for the data sets that use them
        used = find_data_set(values.dataset).settings
        recipe = {name: value for name, value in recipe.items() if name in used}
    chosen = {name: recipe[name] for name in names if name in recipe}
    return chosen | {name: values[name].value for name in names if values[name].present}


def parse(values: flags.FlagValues, arguments: Sequence[str]) -> list[str]:
    """Set `values` to what `arguments` give, and return the arguments that are not flags.

    Raises `UsageError` for a wrong flag or value, or a flagfile that cannot be read.
    """
    try:
        _check_flagfiles(arguments)
        for name, word in itertools.pairwise(arguments):
            flag = name.lstrip("-")
            # absl would take the word for an argument, and False for True.
            if name != flag in values and values[flag].boolean and word.lower() in _WORDS:
                raise UsageError(f"Expected --{flag}={word}, got --{flag} {word}.")
        values.set_gnu_getopt(True)  # flags may come after arguments
        return values(["mim", *arguments])[1:]
    except flags.UnrecognizedFlagError as error:
        if now := _OF_2019.get(error.flagname.removeprefix("no")):
            old = f"--{error.flagname} is of 2019"
            raise UsageError(f"{old}. {now} (docs/from_2019.md).") from None
        name, _, value = error.flagname.partition(" ")  # in a flagfile
        near = did_you_mean(name, values).replace("mean ", "mean --")
        instead = f"--{name}={value}" if value else _ELSEWHERE.get(name)
        guess = f" Did you mean {instead}?" if instead else near
        raise UsageError(f"Unknown flag --{error.flagname}.{guess}") from None
    except (flags.Error, ValueError) as error:
        message = str(error)
        if match := re.match(r"flag --(\w+)=(.*?): ", message, re.DOTALL):
            name, value = match.groups()
            parser = values[name].parser
            choices = getattr(parser, "enum_values", ("true", "false"))
            expected = parser.syntactic_help or listed(choices)
            message = f"Expected {expected} as --{name}, got {value!r}."
        raise UsageError(f"{message.removesuffix('.')}.") from None


def _check_flagfiles(lines, seen=()):
    # absl opens a flagfile whatever it is, and would wait for a named pipe.
    for number, line in enumerate(lines):
        flag, _, path = line.strip().partition("=")
        if flag not in ("--flagfile", "-flagfile"):
            continue
        path = os.path.expanduser((path or " ".join(lines[number + 1 : number + 2])).strip())
        if path and path not in seen:
            text = read_text(path, "a flagfile")
            if text.startswith("\ufeff"):
                raise MimError(f"{path}: expected UTF-8 without a byte order mark, got one.")
            _check_flagfiles(text.splitlines(), (*seen, path))
