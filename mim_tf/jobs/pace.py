"""The number of iterations that fit into the minutes of a run."""

import dataclasses
import math
import statistics
import time

import keras

from mim_tf.data.batches import errors_of, training_dataset
from mim_tf.data.batches.order import evaluated
from mim_tf.jobs.evaluate import evaluate

FIT = {"check_arrays": False, "shuffle": False, "verbose": 0}
"""Arguments of `fit`: checks would read the first batch twice; the data is already shuffled."""

MEASURED = 6
"""Iterations measured at each length of sequences; the first of them is left out."""


def iterations_within(minutes: float, spent: float, model, config, train_source, valid_source):
    """Measure the pace of `model` and return how many iterations end within `minutes`.

    The minutes go from the start of the run, `spent` seconds ago, to its last evaluation. The
    compiled model is trained on the way, so it cannot be used afterwards.
    """
    began = time.perf_counter()
    updates, lengths = config.updates_per_iteration, 2 if config.short_share else 1
    trial = dataclasses.replace(
        config, max_iterations=lengths * MEASURED, short_share=0.5 * (lengths == 2)
    )
    clock = _Clock()
    with errors_of(train_source) as source:
        model.fit(
            training_dataset(source, trial, input_length=model.config.input_length),
            steps_per_epoch=trial.max_iterations * updates,
            callbacks=[clock],
            **FIT,
        )
    half = len(clock.seconds) // lengths
    full, short = (
        updates * statistics.fmean(part[updates:])
        for part in (clock.seconds[-half:], clock.seconds[:half])
    )
    iteration = config.short_share * short + (1 - config.short_share) * full
    tracing, evaluation = _seconds_of_evaluation(model, config, valid_source)
    # The network of the run itself is traced once more, as in the first update.
    spent += time.perf_counter() - began + clock.seconds[0] + tracing
    left = 60 * minutes - spent - evaluation
    return max(1, math.floor(left / (iteration + evaluation / config.test_interval)))


def _seconds_of_evaluation(model, config, source):
    """Return how much longer the first evaluation takes, and how long each takes."""
    count = len(evaluated(source, config.max_test_sequences))
    batch = min(config.batch_size, count)
    one_batch = dataclasses.replace(config, max_test_sequences=batch, num_save_samples=0)
    seconds = []
    for _ in range(2):
        began = time.perf_counter()
        evaluate(model, source, one_batch, lambda *sample: None)
        seconds.append(time.perf_counter() - began)
    first, second = seconds
    return max(0, first - second), second * math.ceil(count / batch)


class _Clock(keras.callbacks.Callback):
    """Seconds of each update, its batch's loading included."""

    def on_train_begin(self, logs=None):
        self.seconds, self.ended_at = [], time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        now = time.perf_counter()
        self.seconds.append(now - self.ended_at)
        self.ended_at = now
