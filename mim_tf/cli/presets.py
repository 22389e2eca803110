"""Lists the trained weights that come with the package.

mim presets
"""

from absl import flags

from mim_tf.cli.command import Command
from mim_tf.presets import PRESETS


def main(values: flags.FlagValues) -> None:
    """Prints name, scores and origin of each preset."""
    for name, preset in PRESETS.items():
        scores = ", ".join(f"{score} {value:g}" for score, value in preset.scores.items())
        print(f"{name}: {preset.description}")
        print(f"  scores: {scores}; on {preset.data}")
        print(f"  trained with {preset.command}: {preset.training}")
    print("Any of these names may stand where a command asks for --pretrained_model.")


def define_flags(values: flags.FlagValues) -> None:
    """`mim presets` has none."""


COMMAND = Command(__doc__, main, define_flags)
