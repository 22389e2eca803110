"""Callbacks between the iterations of a training, except evaluations (`jobs.validation`).

Keras' own callbacks count batches and epochs. Here an iteration consists of one update per variant
of its batch, and a snapshot contains everything a resumed run needs.
"""

import contextlib
import math
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
from absl import logging
from keras import ops
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.summary import image, scalar
from tqdm import tqdm

from mim_tf.config import TrainingConfig
from mim_tf.data.batches.order import TrainingOrder, true_frame_probability
from mim_tf.data.files.images import in_natural_order
from mim_tf.errors import MimError
from mim_tf.runs.folder import has_state
from mim_tf.storage.files import CsvLog
from mim_tf.training.optimizers import all_finite
from mim_tf.training.state import load_state, save_state
from mim_tf.values.text import duration
from mim_tf.weights import save_weights

DAY = 86400  # seconds


class OnIteration(keras.callbacks.Callback):
    """Callback that calls `on_iteration(iteration, logs)` after the last update of an iteration."""

    def __init__(self, config: TrainingConfig, start_iteration: int):
        super().__init__()
        self.config = config
        self.start = start_iteration
        self.updates = 0

    def on_train_batch_end(self, batch, logs=None):
        self.updates += 1
        iterations, rest = divmod(self.updates, self.config.updates_per_iteration)
        if rest == 0:
            self.on_iteration(self.start + iterations, logs or {})

    def due(self, iteration: int, interval: int) -> bool:
        """Return whether an action of every `interval` iterations, and of the last, is due."""
        return iteration % interval == 0 or iteration == self.config.max_iterations

    def on_iteration(self, iteration, logs):
        raise NotImplementedError


class Divergence(OnIteration):
    """Checks the loss of every update, and follows `on_nan` if the loss is NaN or infinite.

    Also restarts the mean loss after each row of `Logs`, in every process. Processes other than the
    first have no `folder` of the run. `size` counts the training sequences, None if endless.
    """

    def __init__(self, config, start_iteration, folder, size):
        super().__init__(config, start_iteration)
        self.folder = folder
        self.order = TrainingOrder(size, config.batch_size, config.seed)

    def on_train_batch_end(self, batch, logs=None):
        # The running mean stays NaN from the first NaN on. Keras has already copied it to the
        # host, so reading it here costs no synchronisation of its own.
        found = {"loss": logs["loss_per_sequence"]}
        if self.config.on_nan == "skip":  # which a gradient alone can cause, with a finite loss
            found["gradient"] = float(ops.convert_to_numpy(self.model.optimizer.gradient_norm))
        if wrong := next((x for x in found.items() if not math.isfinite(x[1])), None):
            self._handle(*wrong, self.start + self.updates // self.config.updates_per_iteration + 1)
        if not math.isfinite(found["loss"]):
            self.model.reset_metrics()
        super().on_train_batch_end(batch, logs)

    def on_iteration(self, iteration, logs):
        if self.due(iteration, self.config.display_interval):
            self.model.reset_metrics()

    def _handle(self, what, value, iteration):
        sequences = ", ".join(map(str, self.order[iteration - 1]))
        found = f"The {what} is {value} at iteration {iteration} (sequences {sequences})"
        if self.config.on_nan == "skip":  # the optimizer has skipped the update
            logging.warning("%s: this update was left out.", found)
        elif self.config.on_nan == "rollback" and has_state(self.folder):
            # The count of updates is not rolled back, so that the next batches are new ones.
            count = self.model.optimizer.iterations
            updates = int(ops.convert_to_numpy(count))
            load_state(self.model, self.folder)
            reached = int(ops.convert_to_numpy(count)) // self.config.updates_per_iteration
            count.assign(updates)
            logging.warning("%s: back to the weights of iteration %d.", found, reached)
        else:
            files = self.folder.glob("*-*[0-9].weights.h5") if self.folder else []
            files = in_natural_order(files)
            raise MimError(
                f"{found}: training diverged. Last snapshot: {files[-1] if files else 'none'}. "
                "Start from good weights (--pretrained_model) with a lower --lr or --clip_norm, or "
                "continue with --resume and --on_nan=skip or --on_nan=rollback. If sequences begin "
                "with empty frames, raise --initial_bias."
            )


class Pace(OnIteration):
    """Logs after the second update how long the whole run will take, if that is above a day."""

    def on_train_batch_end(self, batch, logs=None):
        self.updates += 1
        if self.updates == 1:  # with the tracing of the network
            self.began = time.perf_counter()
        elif self.updates == 2:
            left = self.config.max_iterations - self.start
            seconds = time.perf_counter() - self.began
            total = seconds * left * self.config.updates_per_iteration
            if total > DAY:
                logging.warning(
                    "At the pace of this machine, these %d iterations take about %s. Stop with "
                    "Ctrl-C, and try a smaller network: --flagfile=experiments/quick.cfg trains "
                    "in ten minutes.",
                    left,
                    duration(total),
                )


class StopInOrder(OnIteration):
    """Stops all processes at the end of an iteration after SIGINT or SIGTERM in any process."""

    def __init__(self, config, start_iteration, devices):
        super().__init__(config, start_iteration)
        self.devices = devices
        self.received = None
        self._handlers = contextlib.ExitStack()

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Handle the signals inside the context; only the main thread can handle signals."""
        with self._handlers:
            if threading.current_thread() is threading.main_thread():
                for number in (signal.SIGINT, signal.SIGTERM):
                    before = signal.signal(number, self._receive)
                    self._handlers.callback(signal.signal, number, before)
            yield

    def _receive(self, number, frame):
        self.received = signal.Signals(number).name
        tqdm.write(f"{self.received}: stopping at the end of this iteration; again to stop now.")
        self._handlers.close()  # so that a second signal ends the process at once

    def on_iteration(self, iteration, logs):
        received = self.devices.gather(self.received is not None)
        if any(received) and iteration < self.config.max_iterations:
            self.model.stop_training = True
            logging.info("Stopped at iteration %d; continue with --resume.", iteration)


class Snapshots(OnIteration):
    """Saves weights and state every `snapshot_interval`, at a stop and at the end.

    A snapshot that cannot be written, for example on a full disk, logs a warning and is tried again
    ten times per interval. At the end of the training it raises `MimError`.
    """

    def __init__(self, config, start_iteration, folder, devices):
        super().__init__(config, start_iteration)
        self.folder = folder
        self.devices = devices
        self.reached = self.saved = start_iteration
        self.failed = False

    def on_iteration(self, iteration, logs):
        self.reached = iteration
        interval = self.config.snapshot_interval
        if self.due(iteration, max(1, interval // 10) if self.failed else interval):
            try:
                self._save(iteration)
                self.failed = False
            except OSError as error:
                self.failed = True
                message = "No snapshot of iteration %d, and training goes on: %s. Free some space."
                logging.warning(message, iteration, error)

    def on_train_end(self, logs=None):
        if self.reached > self.saved:
            try:
                self._save(self.reached)
            except OSError as error:
                raise MimError(
                    f"{self.folder}: snapshot {self.reached} cannot be written: {error}. Free some "
                    f"space and continue from iteration {self.saved} with --resume."
                ) from None

    def _save(self, iteration):
        model = self.model
        variables = [*model.trainable_variables, *model.optimizer.saved_variables]
        floats = [v for v in variables if "float" in keras.backend.standardize_dtype(v.dtype)]
        if not ops.convert_to_numpy(all_finite(floats)):  # a last good state must not be replaced
            logging.warning("No snapshot of iteration %d: weights are NaN or infinite.", iteration)
            return
        name = f"{model.config.model_name}-{iteration:06d}"
        if self.config.evaluate_ema:
            with self.devices.evaluated(model, averaged=True) as average:
                save_weights(average, self.folder / f"{name}-ema.weights.h5")
        # The state comes last: if it names an iteration, the weights of that iteration exist.
        with self.devices.alone():
            save_weights(model, self.folder / f"{name}.weights.h5")
            save_state(model, self.folder)
        self.saved = iteration


class ProgressBar(tqdm):
    """Line such as `800/2400 ███ 06:40 left, 4.0it/s, loss 512, MSE 98.7 (baseline 179)`."""

    def __init__(self, config: TrainingConfig, start_iteration: int):
        super().__init__(
            total=config.max_iterations,
            initial=start_iteration,
            bar_format="{n_fmt}/{total_fmt} {bar} {remaining} left, {rate_fmt}{postfix}",
            ncols=min(80, shutil.get_terminal_size().columns),
        )
        self.figures: dict[str, str] = {}

    def show(self, name: str, words: str) -> None:
        """Show `name words` until the next words of the same name."""
        self.figures[name] = words
        self.set_postfix_str(", ".join(map(" ".join, self.figures.items())), refresh=False)


class Events:
    """Writer of a TensorBoard file; a file that cannot be written only logs a warning.

    tensorboardX' `SummaryWriter` writes in a thread. On a full disk the thread ends, its queue
    fills up, and training waits forever. TensorBoard drops points of old files that are later than
    `start_iteration`, the last iteration that is done.
    """

    def __init__(self, folder: Path, start_iteration: int):
        self._folder = folder
        self._flushed = time.monotonic()
        self._file: EventsWriter | None = None
        self._failed = False
        self._write(start_iteration + 1, session_log=SessionLog(status=SessionLog.START))

    def add_scalar(self, name: str, value: float, iteration: int) -> None:
        """Add a point to a curve."""
        self._write(iteration, summary=scalar(name, value))

    def add_image(self, name: str, picture: np.ndarray, iteration: int) -> None:
        """Add a picture `[H, W, 3]`, uint8."""
        self._write(iteration, summary=image(name, picture, dataformats="HWC"))

    def flush(self) -> None:
        """Write everything to the disk."""
        self._do("flush")
        self._flushed = time.monotonic()

    def close(self) -> None:
        """Close the file."""
        self._do("close")

    def _write(self, iteration, **content):
        self._do("write_event", Event(step=iteration, wall_time=time.time(), **content))
        if time.monotonic() - self._flushed > 10:  # seconds
            self.flush()

    def _do(self, method, *arguments):
        if self._failed:
            return
        try:
            self._file = self._file or EventsWriter(str(self._folder / "events"))
            getattr(self._file, method)(*arguments)
        except OSError as error:
            self._failed = True
            logging.warning(
                f"TensorBoard will not show the rest of {self._folder}: {error}. train.csv and "
                "scores/ contain it."
            )


class Logs(OnIteration):
    """Progress bar, `train.csv` and TensorBoard: the mean loss since the last row, and its cost."""

    COLUMNS = (
        *("iteration", "loss", "learning_rate", "true_frame_probability"),
        *("processor_seconds", "seconds"),
    )

    def __init__(self, config, start_iteration, folder, writer: Events, bar: ProgressBar):
        super().__init__(config, start_iteration)
        self.file = CsvLog(folder / "train.csv", self.COLUMNS, start_iteration)
        # Neither contains evaluations. Processor seconds are those of all threads: the cost of
        # learning even on a machine with other work.
        self.seconds = self.file.last.get("seconds", 0.0)
        self.processor_seconds = self.file.last.get("processor_seconds", 0.0)
        self.last_row = self.seconds, 0
        self.writer = writer
        self.bar = bar

    def on_train_batch_begin(self, batch, logs=None):
        self.before = time.process_time(), time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.processor_seconds += time.process_time() - self.before[0]
        self.seconds += time.perf_counter() - self.before[1]
        if self.updates == 0:
            self.bar.unpause()  # the first update traces the network and says nothing of the rate
        super().on_train_batch_end(batch, logs)

    def on_iteration(self, iteration, logs):
        loss = float(logs["loss_per_sequence"])
        # `Divergence` handles other losses.
        if self.due(iteration, self.config.display_interval) and math.isfinite(loss):
            self._add_row(iteration, loss)
            self.bar.show("loss", f"{loss:.3g}" if abs(loss) < 1000 else f"{loss:.0f}")
        self.bar.update()

    def _add_row(self, iteration, loss):
        optimizer = self.model.optimizer
        seconds, updates = self.last_row
        self.last_row = self.seconds, self.updates
        scalars = {
            "loss": loss,
            "learning_rate": float(ops.convert_to_numpy(optimizer.learning_rate)),
            "true_frame_probability": true_frame_probability(self.config, iteration),
        }
        row = (*scalars.values(), self.processor_seconds, self.seconds)
        self.file.append([iteration, *(f"{value:.6g}" for value in row)])
        scalars["updates_per_second"] = (self.updates - updates) / max(self.seconds - seconds, 1e-9)
        scalars["gradient_norm"] = float(ops.convert_to_numpy(optimizer.gradient_norm))
        for name, value in scalars.items():
            if math.isfinite(value):  # the norm of a skipped update is not
                self.writer.add_scalar(name, value, iteration)
