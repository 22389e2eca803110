"""Makes prediction.gif: the forecasts of "moving-mnist" for the first eight test sequences.

python docs/make_prediction_gif.py [--digits=mnist.npz]
python docs/make_prediction_gif.py --color  # prediction_color.gif, of "moving-mnist-color"
"""

from pathlib import Path

import imageio.v3 as imageio
import numpy as np
from absl import app, flags

import mim_tf
from mim_tf.evaluation.pictures import side_by_side

FLAGS = flags.FLAGS
flags.DEFINE_string("digits", "auto", "As for mim train; the picture in README is of all of MNIST.")
flags.DEFINE_bool("color", False, "Of colour-changing Moving MNIST.")


def main(_):
    preset, dataset, name = "moving-mnist", "mnist", "prediction.gif"
    if FLAGS.color:
        preset, dataset, name = "moving-mnist-color", "mnist_color", "prediction_color.gif"
    model = mim_tf.load_model(preset)
    context = model.config.input_length
    data = mim_tf.DataConfig(dataset, digits=FLAGS.digits)
    truth = mim_tf.open_source(data, model.config, "test").sequences(range(8))
    forecast = mim_tf.predict(model, truth[:, :context], model.config.horizon)
    # Half of the size is large enough to see; a margin keeps the pairs apart.
    margins = ((0, 0), (0, 6), (0, 18), (0, 0))
    tiles = [
        np.pad(side_by_side(*pair, context)[:, ::2, ::2], margins, constant_values=255)
        for pair in zip(truth, forecast, strict=True)
    ]
    rows = [np.concatenate(tiles[first : first + 4], axis=2) for first in (0, 4)]
    path = Path(__file__).with_name(name)
    imageio.imwrite(path, np.concatenate(rows, axis=1), plugin="pillow", duration=300, loop=0)
    print(path)


if __name__ == "__main__":
    app.run(main)
