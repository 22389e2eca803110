"""`mim COMMAND`: finds the command and runs it."""

import pkgutil
import sys
from collections.abc import Sequence

from mim_tf.cli.command import leave, one_line_errors, run
from mim_tf.values.text import did_you_mean
from mim_tf.version import __version__

COMMANDS = {
    "train": "train",
    **dict.fromkeys(("evaluate", "score"), "evaluate"),
    **dict.fromkeys(("report", "compare", "filmstrip"), "pages"),
    "predict": "predict",
    **dict.fromkeys(("export", "convert"), "weights"),
    "inspect": "inspect",
    "analyze": "evaluate",
    "presets": "weights",
}
"""Command -> module of this package that has it, as a constant of the same name."""

_OVERVIEW = """usage: mim COMMAND [FLAGS]

{}

mim COMMAND --help lists the flags to start with, --helpfull all of them:
  mim train --dataset=mnist --recipe=fast --max_iterations=2000
  mim predict --pretrained_model=moving-mnist --input=a.npy --output=b.gif"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that `arguments` name, by default the arguments of this process."""
    name, *rest = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if name in COMMANDS:
        return run(_load(name), rest, f"mim {name}")
    with one_line_errors("mim"):
        if name in ("--help", "-h", "help"):
            lines = (f"  {each:11}{_load(each).doc.splitlines()[0]}" for each in COMMANDS)
            print(_OVERVIEW.format("\n".join(lines)))
        elif name == "--version":
            print(f"mim {__version__}")
        else:
            guess = did_you_mean(name, COMMANDS)
            leave(f"{name} is not a command.{guess} `mim` alone lists all commands.", status=2)


def _load(name):
    return pkgutil.resolve_name(f"mim_tf.cli.{COMMANDS[name]}:{name.upper()}")
