"""What happens between iterations.

Keras' own callbacks count batches and epochs; here an iteration can be several updates, and a
snapshot has to hold all that a resumed run needs.
"""

import collections
import contextlib
import math
import shutil
import signal
import statistics
import threading
import time
from collections.abc import Iterator

import keras
from absl import logging
from keras import ops
from tqdm import tqdm

from mim_tf.config import TrainingConfig
from mim_tf.data.batches.order import TrainingOrder
from mim_tf.errors import MimError
from mim_tf.evaluation.errors import is_better
from mim_tf.runs.folder import has_state
from mim_tf.training.optimizers import all_finite
from mim_tf.training.state import load_state, save_state
from mim_tf.weights import save_weights


class OnIteration(keras.callbacks.Callback):
    """Calls `on_iteration(iteration, logs)` after the last update of each iteration."""

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
        """Whether something done every `interval` iterations, and at the end, is due."""
        return iteration % interval == 0 or iteration == self.config.max_iterations

    def on_iteration(self, iteration, logs):
        raise NotImplementedError


# MERGED: What is done when a loss is no number.


class Divergence(keras.callbacks.Callback):
    """Looks at the loss of every update, and does what `on_nan` says where it is not finite.

    The running mean of the losses is looked at, which stays NaN from the first loss that is; Keras
    has brought it from the device for its own callbacks already.

    Args:
        config: of the training.
        start_iteration: the iteration it goes on from.
        folder: of the run, with its states; None in processes that have none.
        size: sequences that are trained on, None if endless.
    """

    def __init__(self, config, start_iteration, folder, size):
        super().__init__()
        self.config = config
        self.start = start_iteration
        self.folder = folder
        self.order = TrainingOrder(size, config.batch_size, config.seed)
        self.updates = 0

    def on_train_batch_end(self, batch, logs=None):
        self.updates += 1
        loss = logs["loss_per_sequence"]
        if math.isfinite(loss):
            return
        iteration = self.start + math.ceil(self.updates / self.config.updates_per_iteration)
        sequences = ", ".join(map(str, self.order[iteration - 1]))
        what = f"The loss is {loss} at iteration {iteration} (sequences {sequences})"
        if self.config.on_nan == "skip":
            logging.warning("%s: this update was left out.", what)
        elif self.config.on_nan == "rollback" and has_state(self.folder):
            updates = int(ops.convert_to_numpy(self.model.optimizer.iterations))
            load_state(self.model, self.folder)
            reached = int(ops.convert_to_numpy(self.model.optimizer.iterations))
            self.model.optimizer.iterations.assign(updates)  # goes on with the next batches
            reached //= self.config.updates_per_iteration
            logging.warning("%s: back to the weights of iteration %d.", what, reached)
        else:
            raise MimError(f"{what}: training diverged. {self._last_snapshot()}{_MENDING}")
        self.model.reset_metrics()

    def _last_snapshot(self):
        names = sorted(self.folder.glob("*-*[0-9].weights.h5")) if self.folder else []
        return f"The last good snapshot is {names[-1]}. " if names else "There is no snapshot yet. "


_MENDING = (
    "Start again with a lower --lr or with --clip_norm, from the last weights if they are good "
    "(--pretrained_model); or go on with --resume --on_nan=skip, which leaves such updates out, or "
    "--on_nan=rollback. In the first iterations, empty frames may be the cause: raise "
    "--initial_bias."
)


def is_finite(model: keras.Model) -> bool:
    """Whether all weights of `model` and its optimizer are finite; looked at on the device."""
    variables = [*model.trainable_variables, *model.optimizer.saved_variables]
    floats = [v for v in variables if "float" in keras.backend.standardize_dtype(v.dtype)]
    return bool(ops.convert_to_numpy(all_finite(floats)))


# MERGED: An orderly stop.


class StopInOrder(OnIteration):
    """On Ctrl-C or `kill`, in any process, stops all at the end of the iteration."""

    def __init__(self, config, start_iteration, devices):
        super().__init__(config, start_iteration)
        self.devices = devices
        self.received = None

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Within it, signals are answered; not in a thread, where Python lets none be."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self.before = {
            number: signal.signal(number, self._receive)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            self._restore()

    def _receive(self, number, frame):
        self.received = signal.Signals(number).name
        tqdm.write(f"{self.received}: stopping at the end of this iteration; again to stop now.")
        self._restore()

    def _restore(self):
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def on_iteration(self, iteration, logs):
        received = any(self.devices.gather(self.received is not None))
        if received and iteration < self.config.max_iterations:
            self.model.stop_training = True
            logging.info("Stopped at iteration %d; --resume goes on from here.", iteration)


# MERGED: Snapshots of a training, between its iterations.


class Snapshots(OnIteration):
    """Weights every `snapshot_interval` and at a stop, and the state `--resume` needs.

    One that cannot be written, as on a full disk, is a warning, and tried again ten times in an
    interval; at the end it is a `MimError`.
    """

    def __init__(self, config, start_iteration, folder, devices):
        super().__init__(config, start_iteration)
        self.folder = folder
        self.devices = devices
        self.reached = self.saved = start_iteration
        self.failed = False

    def on_iteration(self, iteration, logs):
        self.reached = iteration
        retry = max(1, self.config.snapshot_interval // 10)
        due = self.due(iteration, self.config.snapshot_interval)
        if due or (self.failed and iteration % retry == 0):
            self._try(iteration)

    def on_train_end(self, logs=None):
        if self.reached > self.saved:
            try:
                self._save(self.reached)
            except OSError as error:
                raise MimError(
                    f"The last snapshot of {self.folder}, of iteration {self.reached}, cannot be "
                    f"written: {error}. Make room and go on from iteration {self.saved} with "
                    "--resume."
                ) from None

    def _try(self, iteration):
        try:
            self._save(iteration)
            self.failed = False
        except OSError as error:
            self.failed = True
            logging.warning(
                "The snapshot of iteration %d cannot be written, and training goes on: %s. Make "
                "room; the last one is of iteration %d.",
                iteration,
                error,
                self.saved,
            )

    def _save(self, iteration):
        """Writes the weights of this iteration, then the state; nothing that is not finite."""
        model = self.model
        if not is_finite(model):
            logging.warning("No snapshot of iteration %d: it has weights that are NaN.", iteration)
            return
        name = f"{model.config.model_name}-{iteration:06d}"
        if self.config.evaluate_ema:
            with self.devices.evaluated(model, averaged=True) as average:
                save_weights(average, self.folder / f"{name}-ema.weights.h5")
        with self.devices.alone():
            save_weights(model, self.folder / f"{name}.weights.h5")
            save_state(model, self.folder)
        self.saved = iteration


# MERGED: The progress bar of a training: what is left, how fast it goes, and how good it is.


RECENT = 51
"""Updates by whose median the pace is told, so that a pause does not count."""


class ProgressBar:
    """A line such as `800/2400 ███ 7 min left, 3.2 updates/s, loss 512, MSE 98.7 (baseline 179)`.

    Args:
        config: of the training.
        start_iteration: the iteration it goes on from.
    """

    def __init__(self, config: TrainingConfig, start_iteration: int):
        self.config = config
        self.iteration = start_iteration
        self.bar: tqdm | None = None
        self.durations: collections.deque[float] = collections.deque(maxlen=RECENT)
        self.evaluation_seconds = 0.0
        self.began_at = self.ended_at = 0.0
        self.evaluates = False
        self.loss: float | None = None
        self.validation = ""

    def open(self) -> None:
        self.bar = tqdm(
            total=self.config.max_iterations,
            initial=self.iteration,
            bar_format="{n_fmt}/{total_fmt} {bar} {desc}",
            ncols=min(80, shutil.get_terminal_size().columns),
        )

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()

    def update_begins(self) -> None:
        """Notes the time, and that of an evaluation since the last update."""
        self.began_at = time.perf_counter()
        if self.evaluates:
            self.evaluation_seconds = self.began_at - self.ended_at
            self.evaluates = False

    def update_ends(self) -> float:
        """Notes the time and returns the seconds of this update, its batch's loading included."""
        is_first = not self.ended_at
        self.ended_at = time.perf_counter()
        seconds = self.ended_at - self.began_at
        if not is_first:  # in which the network is traced
            self.durations.append(seconds)
        return seconds

    def show(self, iteration: int, loss: float | None = None) -> None:
        """Says how far it is; a loss stays until the next one is given."""
        self.iteration = iteration
        self.evaluates = iteration % self.config.test_interval == 0
        self.loss = self.loss if loss is None else loss
        if self.bar is not None:
            self.bar.set_description_str(self.words(), refresh=False)
            self.bar.update()

    def show_validation(self, result: dict) -> None:
        """Keeps the MSE of an evaluation and of its best baseline in the line.

        Args:
            result: what `evaluate` returned.
        """
        self.validation = f"MSE {_short(result['mean']['mse'])}"
        best = best_baseline(result)
        if best is not None:
            self.validation += f" (baseline {_short(best)})"
        if self.bar is not None:
            self.bar.set_description_str(self.words(), refresh=False)

    @property
    def updates_per_second(self) -> float | None:
        """By the median of the last updates; None before the second."""
        return 1 / max(statistics.median(self.durations), 1e-9) if self.durations else None

    @property
    def seconds_left(self) -> float | None:
        """With the evaluations to come, if there was one to judge by."""
        if not self.updates_per_second:
            return None
        interval, last = self.config.test_interval, self.config.max_iterations
        updates = (last - self.iteration) * self.config.updates_per_iteration
        evaluations = -(-last // interval) - self.iteration // interval
        return updates / self.updates_per_second + evaluations * self.evaluation_seconds

    def words(self) -> str:
        """All that stands behind the bar; with the iterations before it less than 80 columns."""
        parts = []
        if self.updates_per_second:
            parts.append(f"{_duration(self.seconds_left)} left")
            parts.append(f"{_rate(self.updates_per_second)} updates/s")
        if self.loss is not None:
            parts.append(f"loss {_short(self.loss)}")
        if self.validation:
            parts.append(self.validation)
        return ", ".join(parts)


def best_baseline(result: dict, score: str = "mse") -> float | None:
    """The best mean of a baseline; None where there is none.

    Args:
        result: what `evaluate` returned.
        score: its name.
    """
    means = [part["mean"][score] for part in result.get("baselines", {}).values()]
    best = None
    for mean in means:
        if best is None or is_better(score, mean, best):
            best = mean
    return best


def _duration(seconds):
    for unit, size in (("days", 86400), ("h", 3600)):
        if seconds >= size:
            return f"{_rate(seconds / size)} {unit}"
    return f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"


def _short(value):
    if value is None:
        return "-"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def _rate(value):
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"
