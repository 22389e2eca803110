"""Sequences per second that the data of a training deliver on their own.

    python benchmarks/feed.py --flagfile=experiments/radar.cfg --train_data_paths=FOLDER

The flags are those of run.py. Batches come through what training reads them from, and nothing else
is done with them. A batch that is also learnt backwards or mirrored counts once for each.
"""

import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from absl import app
from measure import header, report, row

from mim_tf.cli import flags
from mim_tf.config import DataConfig, ModelConfig, TrainingConfig
from mim_tf.data.batches import training_dataset
from mim_tf.data.dataset import open_source
from mim_tf.data.files.arrays import ArraySource

FLAGS = flags.FLAGS


def measure(data, model, settings, most, seconds) -> dict:
    """Sequences per second in the first epoch, or its first `most` sequences, and after it.

    The clock starts when the first batch is asked for. Data that are decoded when they are first
    asked for are then kept, which makes the difference between the two.
    """
    source = open_source(data, model, "train")
    # What TensorFlow does once in a process is no part of it.
    next(iter(training_dataset(ArraySource(np.zeros((1, *source.shape), np.uint8)), settings)))
    updates = -(-min(source.size or most, most) // settings.batch_size)
    updates *= settings.updates_per_iteration
    start = time.perf_counter()
    batches = iter(training_dataset(source, settings))
    first = _rate(batches, start, updates, 0) * settings.batch_size
    later = _rate(batches, time.perf_counter(), updates, seconds) * settings.batch_size
    return {"shape": source.shape, "sequences": source.size, "first": first, "later": later}


def _rate(batches, start, at_least, seconds):
    """Batches per second since `start`."""
    count = 0
    while count < at_least or time.perf_counter() < start + seconds:
        next(batches)
        count += 1
    return count / (time.perf_counter() - start)


def main(_):
    data, model, settings = (
        config(**flags.given(config)) for config in (DataConfig, ModelConfig, TrainingConfig)
    )
    numbers = measure(data, model, settings, FLAGS.most, FLAGS.seconds)
    if FLAGS.json:
        report(numbers)
    else:
        header("sequences", "shape", "first epoch, sequences/s", "later")
        row(numbers["sequences"], numbers["shape"], numbers["first"], numbers["later"])


if __name__ == "__main__":
    from absl.flags import DEFINE_boolean, DEFINE_float, DEFINE_integer

    flags.define_config_flags(ModelConfig, DataConfig, TrainingConfig)
    DEFINE_integer("most", 1000, "Sequences, at most, that the first epoch is measured over.")
    DEFINE_float("seconds", 5, "How long to measure after that, at least.")
    DEFINE_boolean("json", False, "Print the numbers for another program.")
    app.run(main)
