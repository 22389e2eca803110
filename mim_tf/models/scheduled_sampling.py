"""Scheduled sampling, with its counter."""

import keras
from keras import ops

from mim_tf.config import ModelConfig
from mim_tf.models.registry import uses_scheduled_sampling


class _SeedOfIteration(keras.random.SeedGenerator):
    """Seeds that depend on the iteration alone, so that a resumed run draws what it would have."""

    def __init__(self, seed, iteration):
        super().__init__(seed)
        self.iteration = iteration

    def next(self, ordered=True):
        return ops.stack([self.state[0], ops.cast(self.iteration(), self.state.dtype)])


@keras.saving.register_keras_serializable("mim_tf")
class ScheduledSampling(keras.layers.Layer):
    """Decides which true frames the network is given after the context, while training.

    In iteration i = 1, 2, ... each sample and time step takes the true frame with probability
    `eta = max(sampling_start_value - i * sampling_changing_rate, 0)`, and 0 from
    `sampling_stop_iter` on. The counter of updates is a weight: it is saved, and restored, with
    the others. All `updates_per_iteration` updates of an iteration draw the same flags.

    Source: Bengio et al. (NeurIPS 2015); 2019 code, `schedule_sampling`.

    Args:
        config: the model's.
        seed: of the draws.
    """

    def __init__(self, config: ModelConfig, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.config = config
        self.random = _SeedOfIteration(seed, self.iteration)
        # Which of how many equal parts of the batch this model is given, see `training/devices.py`.
        self.replica = lambda: (0, 1)
        self.updates = self.add_weight(
            shape=(),
            dtype="int32",
            initializer="zeros",
            trainable=False,
            aggregation="only_first_replica",
            name="updates",
        )
        self.built = True

    def iteration(self):
        """Number of the iteration the next update belongs to, from 1."""
        return self.updates // self.config.updates_per_iteration + 1

    def eta(self):
        """Probability of a true frame in the next update."""
        return eta(self.config, self.iteration())

    def draw(self, batch, steps):
        """Flags `[batch, steps]` of an update, 1 where the true frame is taken; counts it."""
        replica, replicas = self.replica()
        drawn = keras.random.uniform((replicas, batch, steps), seed=self.random)[replica]
        flags = drawn < self.eta()
        self.updates.assign_add(1)
        return ops.cast(flags, "float32")


def eta(config: ModelConfig, iteration):
    """Probability of a true frame in iteration 1, 2, ..., a number or an integer tensor."""
    if not uses_scheduled_sampling(config):
        return ops.zeros(())
    fallen = config.sampling_changing_rate * ops.cast(iteration, "float32")
    probability = ops.maximum(config.sampling_start_value - fallen, 0.0)
    return ops.where(iteration < config.sampling_stop_iter, probability, 0.0)
