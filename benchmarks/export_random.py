"""Exports a network with random weights, and prints the folder as JSON; flags as run.py's."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from absl import app, logging
from measure import report

import mim_tf
from mim_tf import flags
from mim_tf.config import ModelConfig
from mim_tf.serving import write_saved_model

FLAGS = flags.FLAGS


def main(_):
    logging.set_verbosity(logging.WARNING)
    config = ModelConfig(**flags.given(ModelConfig))
    folder = write_saved_model(mim_tf.build_model(config), FLAGS.output, FLAGS.horizon, False)
    report({"folder": str(folder), "frame": config.frame_shape, "context": config.input_length})


if __name__ == "__main__":
    from absl.flags import DEFINE_integer, DEFINE_string

    flags.define_config_flags(ModelConfig)
    DEFINE_string("output", None, "Folder for the versions.", required=True)
    DEFINE_integer("horizon", 10, "Frames to predict.")
    app.run(main)
