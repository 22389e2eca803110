"""Snapshots of a training, between its iterations."""

from absl import logging

from mim_tf.errors import MimError
from mim_tf.training.divergence import is_finite
from mim_tf.training.on_iteration import OnIteration
from mim_tf.training.state import save_state
from mim_tf.weights import save_weights


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
