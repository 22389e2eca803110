"""Exports a network, with random weights unless others are given; flags as run.py's.

The folder is printed as JSON.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from absl import app, logging
from measure import report

import mim_tf
from mim_tf.cli import flags
from mim_tf.cli.configs import model_config
from mim_tf.config import ModelConfig
from mim_tf.serving import write_saved_model
from mim_tf.weights import load_weights

FLAGS = flags.FLAGS


def main(_):
    logging.set_verbosity(logging.WARNING)
    config = model_config(weights=FLAGS.pretrained_model)
    model = mim_tf.build_model(config)
    if FLAGS.pretrained_model:
        load_weights(model, FLAGS.pretrained_model)
    folder = write_saved_model(
        model, FLAGS.output, FLAGS.horizon, warmup=False, freeze=FLAGS.freeze
    )
    report({"folder": str(folder), "frame": config.frame_shape, "context": config.input_length})


if __name__ == "__main__":
    from absl.flags import DEFINE_boolean, DEFINE_integer, DEFINE_string

    flags.define_config_flags(ModelConfig)
    DEFINE_string("output", None, "Folder for the versions.", required=True)
    DEFINE_string("pretrained_model", "", "Weights to export.")
    DEFINE_integer("horizon", 10, "Frames to predict.")
    DEFINE_boolean("freeze", False, "As in mim export.")
    app.run(main)
