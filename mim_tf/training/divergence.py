"""What is done when a loss is no number."""

import math

import keras
from absl import logging
from keras import ops

from mim_tf.data.batches.order import TrainingOrder
from mim_tf.errors import MimError
from mim_tf.runs.folder import has_state
from mim_tf.training.adam import all_finite
from mim_tf.training.state import load_state


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
