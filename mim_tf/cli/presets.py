"""Lists the trained weights that there are, by name.

mim presets

They come with the package; the environment variable MIM_TF_PRESETS names a
folder of more.
"""

import textwrap

from absl import flags

from mim_tf.cli.command import Command
from mim_tf.cli.help import WIDTH
from mim_tf.jobs.presets import cards, listing
from mim_tf.weights.by_name import list_presets


def main(values: flags.FlagValues) -> None:
    """Prints name, size, scores and origin of each preset, or its model card.

    Raises:
        MimError: as `list_presets`.
    """
    presets = list_presets().values()
    if values.card:
        print(cards(presets))
        return
    lines = [line for preset in presets for line in listing(preset).splitlines()]
    print(*map(_wrapped, lines), sep="\n")
    print("Any of these names may stand where a command asks for --pretrained_model.")


def _wrapped(line):
    return textwrap.fill(line, WIDTH, subsequent_indent=" " * 4, break_on_hyphens=False)


def define_flags(values: flags.FlagValues) -> None:
    """Defines the flag of `mim presets`."""
    flags.DEFINE_boolean("card", False, "Print model cards, in Markdown.", flag_values=values)


COMMAND = Command(__doc__, main, define_flags)
