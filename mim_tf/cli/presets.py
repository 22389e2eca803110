"""Lists the trained weights that come with the package.

mim presets
"""

import textwrap

from absl import flags

from mim_tf.cli.command import Command
from mim_tf.cli.help import WIDTH
from mim_tf.presets import PRESETS


def main(values: flags.FlagValues) -> None:
    """Prints name, scores and origin of each preset."""
    for name, preset in PRESETS.items():
        scores = ", ".join(f"{score} {value:g}" for score, value in preset.scores.items())
        print(_wrapped(f"{name}: {preset.description}"))
        print(_wrapped(f"  scores: {scores}; on {preset.data}"))
        print(_wrapped(f"  trained with {preset.command}: {preset.training}"))
    print("Any of these names may stand where a command asks for --pretrained_model.")


def _wrapped(line):
    return textwrap.fill(line, WIDTH, subsequent_indent=" " * 4, break_on_hyphens=False)


def define_flags(values: flags.FlagValues) -> None:
    """`mim presets` has none."""


COMMAND = Command(__doc__, main, define_flags)
