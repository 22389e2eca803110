"""What TensorBoard shows of a run."""

import math
import time
from pathlib import Path

import keras
import numpy as np
from absl import logging
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.summary import image, scalar

from mim_tf.data.batches.order import true_frame_probability
from mim_tf.storage.files import CsvLog
from mim_tf.training.callbacks import OnIteration, ProgressBar

_FLUSH_SECONDS = 10


class Events:
    """Writes a file of events; where it cannot be written, that is a warning and no more.

    tensorboardX' own `SummaryWriter` writes in a thread; when that ends, on a full disk, its queue
    fills up and the training waits for ever.

    Args:
        folder: of the run.
        start_iteration: TensorBoard forgets what earlier files hold after it.
    """

    def __init__(self, folder: Path, start_iteration: int):
        self._folder = folder
        self._file = None
        self._flushed = time.monotonic()
        try:
            self._file = EventsWriter(str(folder / "events"))
        except OSError as error:
            self._give_up(error)
        self._write(start_iteration + 1, session_log=SessionLog(status=SessionLog.START))

    def add_scalar(self, name: str, value: float, iteration: int) -> None:
        """A number, a point of a curve."""
        self._write(iteration, summary=scalar(name, value))

    def add_image(self, name: str, picture: np.ndarray, iteration: int) -> None:
        """A picture `[H, W, 3]`, uint8."""
        self._write(iteration, summary=image(name, picture, dataformats="HWC"))

    def flush(self) -> None:
        """Has on disk what was written so far."""
        self._try(lambda file: file.flush())
        self._flushed = time.monotonic()

    def close(self) -> None:
        """Ends the file."""
        self._try(lambda file: file.close())
        self._file = None

    def _write(self, iteration, **content):
        event = Event(step=iteration, wall_time=time.time(), **content)
        self._try(lambda file: file.write_event(event))
        if time.monotonic() - self._flushed > _FLUSH_SECONDS:
            self.flush()

    def _try(self, action):
        if self._file is None:
            return
        try:
            action(self._file)
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error):
        self._file = None
        logging.warning(
            "TensorBoard will not show the rest of %s: %s. train.csv and scores/ have it.",
            self._folder,
            error,
        )


# MERGED: The log of a training: progress bar, train.csv and TensorBoard.


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
