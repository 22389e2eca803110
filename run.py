"""The command line of 2019: `mim train`, or with --is_training=False `mim evaluate`."""

import dataclasses
import sys

from absl import flags

from mim_tf.cli import evaluate, train
from mim_tf.cli.command import run


def main(values):
    (train if values.is_training else evaluate).COMMAND.start(values)


def define_flags(values):
    help = "Train; --is_training=False: evaluate --pretrained_model."
    flags.DEFINE_boolean("is_training", True, help, flag_values=values)
    train.define_flags(values)


if __name__ == "__main__":
    command = dataclasses.replace(train.COMMAND, doc=__doc__, main=main, define_flags=define_flags)
    run(command, sys.argv[1:], "python run.py")
