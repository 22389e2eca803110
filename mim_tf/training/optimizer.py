"""The optimizer of a training run."""

import keras

from mim_tf.config import TrainingConfig
from mim_tf.training.adam import AdamInsideRoot
from mim_tf.training.learning_rate import learning_rate
from mim_tf.training.muon import Muon


def make_optimizer(config: TrainingConfig, filters: int) -> keras.optimizers.Optimizer:
    """The optimizer that `config` asks for.

    Args:
        config: of the training.
        filters: channels of a layer of the network.
    """
    updates = config.updates_per_iteration
    settings = {
        "learning_rate": learning_rate(
            config.lr_schedule,
            config.lr,
            config.warmup_iterations * updates,
            config.max_iterations * updates,
        ),
        "beta_1": config.beta_1,
        "beta_2": config.beta_2,
        "global_clipnorm": config.clip_norm or None,
        "skip_nonfinite": config.on_nan == "skip",
        "use_ema": True,
        "ema_momentum": 0.9995,
    }
    if config.optimizer == "muon":
        return Muon(gate_filters=filters, momentum=config.momentum, **settings)
    return AdamInsideRoot(**settings)
