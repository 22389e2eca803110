"""Time and memory of training and prediction.

    python benchmarks/training_step.py [--flagfile=experiments/human36m.cfg] [--rematerialise] ...

The flags are those of run.py; without any, the network is the paper's. Random frames stand in for
the data, so that nothing but the network is measured.
"""

import os
import time

START = time.perf_counter()
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(max(1, os.cpu_count() // 2)))  # as run.py

import platform

import keras
import numpy as np
from absl import app
from measure import header, median_time, peak_gigabytes, report, row, timed

import mim_tf
from mim_tf.cli import flags
from mim_tf.config import DataConfig, ModelConfig, TrainingConfig
from mim_tf.runtime.backend import skip_graph_rewriting

FLAGS = flags.FLAGS


def training(config: ModelConfig, batch_size: int, rematerialise: bool):
    """A model to train, and a function that makes one update of it."""
    keras.utils.set_random_seed(0)
    frames = random_frames(config, batch_size, config.total_length)
    model = mim_tf.build_model(config, rematerialise=rematerialise)
    mim_tf.compile_for_training(model, learning_rate=1e-3)
    return model, lambda: model.train_on_batch(frames, frames[:, 1:])


def random_frames(config: ModelConfig, batch_size: int, length: int) -> np.ndarray:
    """Uniform in [0, 1], `[batch_size, length, H, W, C]`."""
    shape = batch_size, length, *config.frame_shape
    return np.random.default_rng(0).random(shape, np.float32)


def measure(config: ModelConfig, settings: TrainingConfig, steps: int) -> dict:
    """Seconds and GB; `base` is the memory before the network is built."""
    base = peak_gigabytes()
    model, train = training(config, settings.batch_size, settings.rematerialise)
    numbers = {"base": base, "built": time.perf_counter() - START, "first": timed(train)}
    numbers["until_updated"] = time.perf_counter() - START
    numbers["step"] = median_time(train, steps)
    numbers["peak"] = peak_gigabytes()
    if not FLAGS.training_only:
        context = random_frames(config, settings.batch_size, config.input_length)

        def forecast():
            mim_tf.predict(model, context, config.horizon, settings.batch_size)

        numbers["first_prediction"] = timed(forecast)
        numbers["prediction"] = median_time(forecast, steps)
    return numbers


def show(config, settings, numbers):
    height, width, channels = config.frame_shape
    print(
        f"{config.num_hidden} channels, batch {settings.batch_size}, {height}x{width}x{channels}, "
        f"{config.input_length} -> {config.horizon}, {config.precision}, "
        f"{keras.backend.backend()}, Keras {keras.__version__}, {os.cpu_count()} cores, "
        f"{platform.machine()}"
    )
    names = {
        "built": ("import, build", "s"),
        "first": ("first update", "s"),
        "until_updated": ("process start to end of first update", "s"),
        "step": ("training step", "s"),
        "peak": ("peak memory in training", "GB"),
        "first_prediction": ("first prediction", "s"),
        "prediction": ("prediction", "s"),
    }
    header("what", "value")
    for key in filter(numbers.get, names):
        name, unit = names[key]
        row(name, f"{numbers[key]:.2f} {unit}")


def main(_):
    if FLAGS.skip_graph_rewriting:
        skip_graph_rewriting()
    config = ModelConfig(**flags.given(ModelConfig))
    settings = TrainingConfig(**flags.given(TrainingConfig))
    numbers = measure(config, settings, FLAGS.steps)
    if FLAGS.json:
        report({**numbers, "batch_size": settings.batch_size})
    else:
        show(config, settings, numbers)


if __name__ == "__main__":
    from absl.flags import DEFINE_boolean, DEFINE_integer

    flags.define_config_flags(ModelConfig, DataConfig, TrainingConfig)
    DEFINE_integer("steps", 3, "Timed steps; their median is printed.")
    DEFINE_boolean("skip_graph_rewriting", True, "As in training runs; False to compare.")
    DEFINE_boolean("training_only", False, "Leave prediction out.")
    DEFINE_boolean("json", False, "Print the numbers for another program.")
    app.run(main)
