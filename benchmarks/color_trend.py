"""How well forecasts of colour-changing Moving MNIST keep the colours and their trend.

    python benchmarks/color_trend.py --pretrained_model=WEIGHTS [--digits=FOLDER]

The share of each channel in the sum of a frame does not change when digits blur. Over test
sequences, the program prints two numbers by lead time. The colour is how far the shares are from a
third, as a multiple of the truth's: below 1 the forecast fades to grey. The change of colour is how
much of the true change since the last given frame is predicted, a slope of least squares: 1 is all
of it, 0 a colour that stands still.
"""

import numpy as np
from absl import app, flags
from measure import header, row

import mim_tf

FLAGS = flags.FLAGS
flags.DEFINE_string("pretrained_model", None, "Weights for frames in colour.", required=True)
flags.DEFINE_string("digits", "auto", "As for mim train.")
flags.DEFINE_integer("sequences", 200, "Test sequences.")


def shares(frames):
    """Return the share of each channel in the sum of each frame, `[B, T, 3]`."""
    sums = frames.sum(axis=(2, 3), dtype=np.float64)
    return sums / sums.sum(axis=-1, keepdims=True)


def main(_):
    model = mim_tf.load_model(FLAGS.pretrained_model)
    context = model.config.input_length
    data = mim_tf.DataConfig("mnist_color", digits=FLAGS.digits)
    frames = mim_tf.open_source(data, model.config, "test").sequences(range(FLAGS.sequences))
    forecast = np.clip(mim_tf.predict(model, frames[:, :context], model.config.horizon), 0, 1)
    last, true, predicted = (
        shares(part) for part in (frames[:, context - 1 : context], frames[:, context:], forecast)
    )
    colour = np.abs(predicted - 1 / 3).mean(axis=(0, 2)) / np.abs(true - 1 / 3).mean(axis=(0, 2))
    change, found = true - last, predicted - last
    slope = (change * found).sum(axis=(0, 2)) / np.square(change).sum(axis=(0, 2))
    header("lead time", "colour", "change of colour")
    for number, values in enumerate(zip(colour, slope, strict=True), start=1):
        row(number, *(f"{value:.2f}" for value in values))


if __name__ == "__main__":
    app.run(main)
