"""Time and memory of training and prediction: `python benchmarks/training_step.py --help`.

Defaults are the paper's network. Random frames stand in for the data, so that nothing but the
network is measured.
"""

import os
import time

START = time.perf_counter()
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(max(1, os.cpu_count() // 2)))  # as run.py

import platform
import resource
import statistics

import keras
import numpy as np
from absl import app, flags

import mim_tf
from mim_tf.training.compile import compile_for_training
from mim_tf.training.start_up import skip_graph_rewriting

FLAGS = flags.FLAGS
flags.DEFINE_list("num_hidden", ["64", "64", "64", "64"], "Channels of the layers.")
flags.DEFINE_integer("batch_size", 8, "Sequences in a batch.")
flags.DEFINE_integer("steps", 3, "Timed steps; their median is printed.")
flags.DEFINE_integer("size", 64, "Height and width of the frames.")
flags.DEFINE_boolean("skip_graph_rewriting", True, "As in training runs; False to compare.")
flags.DEFINE_integer("patch_size", 4, "Side of a patch.")
flags.DEFINE_boolean("recompute", False, "As in training runs.")
flags.DEFINE_enum("precision", "float32", ["float32", "bfloat16"], "Of the convolutions.")


def timed(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def peak_gigabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def row(what, value, unit):
    print(f"| {what:38} | {value:7.2f} {unit} |", flush=True)


def main(_):
    if FLAGS.skip_graph_rewriting:
        skip_graph_rewriting()
    keras.utils.set_random_seed(0)
    config = mim_tf.ModelConfig(
        img_width=FLAGS.size,
        patch_size=FLAGS.patch_size,
        num_hidden=tuple(map(int, FLAGS.num_hidden)),
        precision=FLAGS.precision,
    )
    frames = np.random.default_rng(0).random(
        (FLAGS.batch_size, config.total_length, *config.frame_shape), np.float32
    )
    print(
        f"{config.num_hidden} channels, batch {FLAGS.batch_size}, {FLAGS.size}x{FLAGS.size}, "
        f"{FLAGS.precision}, {keras.backend.backend()}, Keras {keras.__version__}, "
        f"{os.cpu_count()} cores, {platform.machine()}"
    )
    model = mim_tf.build_model(config, recompute=FLAGS.recompute)
    compile_for_training(model, learning_rate=1e-3)

    def train():
        model.train_on_batch(frames, frames[:, 1:])

    def forecast():
        mim_tf.predict(model, frames[:, : config.input_length], config.horizon)

    row("import, build", time.perf_counter() - START, "s ")
    row("first update", timed(train), "s ")
    row("process start to end of first update", time.perf_counter() - START, "s ")
    row("training step", statistics.median(timed(train) for _ in range(FLAGS.steps)), "s ")
    row("peak memory in training", peak_gigabytes(), "GB")
    row("first prediction", timed(forecast), "s ")
    row("prediction", statistics.median(timed(forecast) for _ in range(FLAGS.steps)), "s ")


if __name__ == "__main__":
    app.run(main)
