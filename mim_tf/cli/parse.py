"""A command line and its flagfiles become values of flags, or one sentence about what is wrong."""

import os
import re
from collections.abc import Sequence

from absl import flags

from mim_tf.cli.words import did_you_mean, listed
from mim_tf.errors import MimError
from mim_tf.given_path import read_text


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
