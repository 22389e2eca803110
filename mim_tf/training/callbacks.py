"""What happens between iterations: logs, evaluations, snapshots, an orderly stop.

Keras' own callbacks count batches and epochs; here an iteration can be several updates, and a
snapshot has to hold all that a resumed run needs.
"""

import math
import signal
import time

import keras
from absl import logging
from tqdm import tqdm

from mim_tf.config import TrainingConfig
from mim_tf.data.batches.scheduled_sampling import true_frame_probability
from mim_tf.errors import MimError
from mim_tf.evaluation.evaluate import evaluate
from mim_tf.evaluation.pictures import film_strip, save_sample
from mim_tf.evaluation.report import format_scores, write_scores
from mim_tf.runs import CsvLog, pictures_folder, read_json, write_json
from mim_tf.training.divergence import is_finite
from mim_tf.training.events import Events
from mim_tf.training.progress import ProgressBar
from mim_tf.training.state import save_state
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


class Evaluation(OnIteration):
    """Scores on the validation set every `test_interval`, pictures, and the best weights so far.

    One that fails is a warning: what was learnt is worth more than its scores.
    """

    def __init__(self, config, start_iteration, folder, writer, source, devices, bar):
        super().__init__(config, start_iteration)
        self.folder = folder
        self.bar = bar
        self.pictures = pictures_folder(folder, config.gen_frm_dir)
        self.best = _best_score(folder / "best.json")
        self.writer = writer
        self.source = source
        self.devices = devices

    def on_train_begin(self, logs=None):
        self.make_up()

    def on_iteration(self, iteration, logs):
        if self.due(iteration, self.config.test_interval):
            self._try(iteration)

    def make_up(self) -> None:
        """Evaluates what is resumed, if a kill came between its snapshot and its scores."""
        due = self.start and self.due(self.start, self.config.test_interval)
        if due and not (self._scores(self.start) / "scores.json").exists():
            self._try(self.start)

    def _scores(self, iteration):
        return self.folder / "scores" / f"{iteration:06d}"

    def _try(self, iteration):
        try:
            with self.devices.evaluated(self.model, self.config.evaluate_ema) as model:
                self._evaluate(model, iteration)
        except Exception as error:  # of files, data, memory or the network: training goes on
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            logging.warning(
                "The evaluation of iteration %d failed, and training goes on: %s", iteration, reason
            )

    def _evaluate(self, model, iteration):
        input_length = model.config.input_length

        def show(number, truth, forecast):
            folder = self.pictures / f"{iteration:06d}" / str(number)
            save_sample(folder, truth, forecast, input_length, self.source.scale)
            strip = film_strip(truth, forecast, input_length, self.source.scale)
            self.writer.add_image(f"sample/{number}", strip, iteration)

        result = evaluate(model, self.source, self.config, show, self.config.protocol)
        # Scores last: where they are missing, a resumed run evaluates again.
        self._keep_best(model, iteration, result["mean"]["mse"])
        write_scores(self._scores(iteration), result, input_length)
        self.bar.show_validation(result)
        tqdm.write(f"Iteration {iteration}, {result['sequences']} validation sequences:")
        tqdm.write(format_scores(result, input_length))
        for name, value in result["mean"].items():
            if value is not None:
                self.writer.add_scalar(f"validation/{name}", value, iteration)
        for name, part in result["baselines"].items():
            self.writer.add_scalar(f"validation/mse_{name}", part["mean"]["mse"], iteration)
        self.writer.flush()

    def _keep_best(self, model, iteration, mse):
        if not mse < self.best:
            return
        save_weights(model, self.folder / "best.weights.h5")
        write_json(self.folder / "best.json", {"iteration": iteration, "mse": mse})
        self.best = mse


def _best_score(record):
    """The smallest MSE so far, infinite before the first; a `MimError` if it cannot be read."""
    if not record.exists():
        return math.inf
    score = read_json(record).get("mse")
    if type(score) not in (int, float) or not math.isfinite(score):
        raise MimError(
            f"{record} is damaged: expected a finite number as its mse, received {score!r}. Take "
            "it from scores/, or move best.json and best.weights.h5 to another place."
        )
    return score


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


class StopInOrder(OnIteration):
    """On Ctrl-C or `kill`, in any process, stops all at the end of the iteration."""

    def __init__(self, config, start_iteration, devices):
        super().__init__(config, start_iteration)
        self.devices = devices
        self.received = None

    def on_train_begin(self, logs=None):
        self.before = {
            number: signal.signal(number, self._receive)
            for number in (signal.SIGINT, signal.SIGTERM)
        }

    def _receive(self, number, frame):
        self.received = signal.Signals(number).name
        tqdm.write(f"{self.received}: stopping at the end of this iteration; again to stop now.")
        self._restore()

    def _restore(self):
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def on_train_end(self, logs=None):
        self._restore()

    def on_iteration(self, iteration, logs):
        received = any(self.devices.gather(self.received is not None))
        if received and iteration < self.config.max_iterations:
            self.model.stop_training = True
            logging.info("Stopped at iteration %d; --resume goes on from here.", iteration)
