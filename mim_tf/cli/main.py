"""`mim COMMAND`: finds the command and runs it."""

import importlib
import sys
from collections.abc import Sequence

from mim_tf.cli.command import leave, run
from mim_tf.cli.flags import did_you_mean
from mim_tf.version import __version__

COMMANDS = (
    "train",
    "evaluate",
    "report",
    "compare",
    "filmstrip",
    "predict",
    "export",
    "convert",
    "inspect",
    "analyze",
    "presets",
)
"""Each is a module of this package with a `COMMAND`."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command that `arguments` name, by default those of this process.

    Raises:
        SystemExit: with status 1 for an error that the command reports, 2 for a command line that
            is wrong and 130 for Ctrl-C.
    """
    name, *rest = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if name in ("--help", "-h", "help"):
        print(overview())
    elif name == "--version":
        print(f"mim {__version__}")
    elif name in COMMANDS:
        run(_load(name), rest, f"mim {name}")
    else:
        guess = did_you_mean(name, COMMANDS)
        leave(f"{name} is not a command.{guess} `mim` alone lists all commands.", status=2)


def overview() -> str:
    """The usage, and a line for each command."""
    width = max(map(len, COMMANDS)) + 2
    lines = [f"  {name:{width}}{_load(name).summary}" for name in COMMANDS]
    return "\n".join(
        ["usage: mim COMMAND [FLAGS]", "", *lines, "", "mim COMMAND --help lists its flags."]
    )


def _load(name):
    return importlib.import_module(f"mim_tf.cli.{name}").COMMAND
