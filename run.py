"""The command line of 2019: `mim train`, or with --is_training=False `mim evaluate`."""

import dataclasses
import sys

from mim_tf.cli.command import run
from mim_tf.cli.evaluate import EVALUATE
from mim_tf.cli.train import TRAIN
from mim_tf.config.fields import field


@dataclasses.dataclass
class Flags(TRAIN.flags, EVALUATE.flags):
    """Flags of both commands, and the choice between them."""

    is_training: bool = field(True, "Train; --is_training=False: evaluate --pretrained_model.")


def main(values):
    """Start the chosen command."""
    (TRAIN if values.is_training else EVALUATE).start(values)


if __name__ == "__main__":
    command = dataclasses.replace(TRAIN, doc=__doc__, main=main, flags=Flags)
    run(command, sys.argv[1:], "python run.py")
