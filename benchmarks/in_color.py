"""Make weights for frames in colour from weights for grey frames, to train them further.

    python benchmarks/in_color.py --pretrained_model=moving-mnist --output=start.weights.h5

The first kernel is repeated for each channel and divided, the last one is repeated and multiplied,
so that a grey frame of the mean brightness gives the grey forecast of that brightness.
"""

import dataclasses

import numpy as np
from absl import app, flags

import mim_tf

CHANNELS = 3
BRIGHTNESS = 0.495  # mean of a channel of a digit's colour in `ColorMovingMNIST`

FLAGS = flags.FLAGS
flags.DEFINE_string("pretrained_model", "moving-mnist", "Weights for frames of one channel.")
flags.DEFINE_string("output", None, "Weights file to write.", required=True)


def main(_):
    grey = mim_tf.load_model(FLAGS.pretrained_model)
    color = mim_tf.build_model(dataclasses.replace(grey.config, img_channel=CHANNELS))
    for old, new in zip(grey.weights, color.weights, strict=True):
        value = old.numpy()
        if old.path in ("to_pixels/kernel", "to_pixels/bias"):
            value = BRIGHTNESS * np.repeat(value, CHANNELS, axis=-1)
        elif value.shape != new.shape:
            value = np.repeat(value, CHANNELS, axis=2) / (CHANNELS * BRIGHTNESS)
        new.assign(value)
    mim_tf.save_weights(color, FLAGS.output)


if __name__ == "__main__":
    app.run(main)
