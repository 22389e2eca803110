"""The log of a training: progress bar, train.csv and TensorBoard."""

import math
import time

import keras

from mim_tf.data.batches.scheduled_sampling import true_frame_probability
from mim_tf.runs.csv_log import CsvLog
from mim_tf.training.events import Events
from mim_tf.training.on_iteration import OnIteration
from mim_tf.training.progress import ProgressBar


class Logs(OnIteration):
    """Progress bar, `train.csv` and TensorBoard: the loss since the last row and what it cost."""

    COLUMNS = (
        "iteration",
        "loss",
        "learning_rate",
        "true_frame_probability",
        "processor_seconds",
        "seconds",
    )

    def __init__(self, config, start_iteration, folder, writer: Events, bar: ProgressBar):
        super().__init__(config, start_iteration)
        self.file = CsvLog(folder / "train.csv", self.COLUMNS, start_iteration)
        # Both without evaluations: the second is of all threads, what learning costs on a machine
        # that has other work too.
        self.seconds = self.file.last.get("seconds", 0.0)
        self.processor_seconds = self.file.last.get("processor_seconds", 0.0)
        self.writer = writer
        self.bar = bar

    def on_train_begin(self, logs=None):
        self.bar.open()

    def on_train_end(self, logs=None):
        self.bar.close()

    def on_train_batch_begin(self, batch, logs=None):
        self.before = time.process_time()
        self.bar.update_begins()

    def on_train_batch_end(self, batch, logs=None):
        self.processor_seconds += time.process_time() - self.before
        self.seconds += self.bar.update_ends()
        super().on_train_batch_end(batch, logs)

    def on_iteration(self, iteration, logs):
        loss = None
        if self.due(iteration, self.config.display_interval):
            loss = float(logs["loss_per_sequence"])
            if math.isfinite(loss):  # otherwise `Divergence` deals with it
                self._log(iteration, loss)
        self.bar.show(iteration, loss)

    def _log(self, iteration, loss):
        optimizer = self.model.optimizer
        rate = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
        norm = float(keras.ops.convert_to_numpy(optimizer.gradient_norm))
        probability = true_frame_probability(self.config, iteration)
        values = (loss, rate, probability, self.processor_seconds, self.seconds)
        self.file.append([iteration, *(f"{value:.6g}" for value in values)])
        scalars = dict(zip(self.COLUMNS[1:4], values, strict=False))
        if math.isfinite(norm):  # not of an update that was left out
            scalars["gradient_norm"] = norm
        if self.bar.updates_per_second:
            scalars["updates_per_second"] = self.bar.updates_per_second
        for name, value in scalars.items():
            self.writer.add_scalar(name, value, iteration)


class RestartedMean(OnIteration):
    """Lets the mean loss start anew after each row of `Logs`; in every process."""

    def on_iteration(self, iteration, logs):
        if self.due(iteration, self.config.display_interval):
            self.model.reset_metrics()
