"""What happens between iterations.

Keras' own callbacks count batches and epochs; here an iteration can be several updates, and a
snapshot has to hold all that a resumed run needs.
"""

import keras

from mim_tf.config import TrainingConfig


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
