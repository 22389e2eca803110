"""Loss, optimizer and metric, put together."""

import keras
import numpy as np
from keras import ops

from mim_tf.config import TrainingConfig
from mim_tf.errors import MimError
from mim_tf.training.optimizers import AdamInsideRoot, Muon


def compile_for_training(
    model, learning_rate=1e-3, optimizer: keras.optimizers.Optimizer | None = None
) -> None:
    """Compiles `model` with the loss of the 2019 code.

    The metric `loss_per_sequence` is the loss the 2019 code prints.

    Args:
        model: a `VideoPredictor`.
        learning_rate: a number or a Keras schedule, for the optimizer of the 2019 code and its
            moving average of the weights.
        optimizer: used in the place of that one.
    """
    if optimizer is None:
        optimizer = AdamInsideRoot(learning_rate, use_ema=True, ema_momentum=0.9995)
    model.compile(
        optimizer=optimizer,
        loss=HalfSquaredError(),
        metrics=[keras.metrics.MeanMetricWrapper(half_squared_error, name="loss_per_sequence")],
    )
    # Built later, Keras would trace the training step twice.
    model.optimizer.build(model.trainable_variables)


# MERGED: The optimizer of a training run.


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


# MERGED: Learning rates that rise, and come down to zero.


SCHEDULES = ("constant", "cosine", "wsd")
DECAY_SHARE = 0.2


@keras.saving.register_keras_serializable("mim_tf")
class WarmupStableDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly, stays, and falls linearly to zero over the last fifth.

    Of a run of unknown length the end can be set late: while `updates` is far off the rate stays
    at its peak, and resumed with an end a quarter further than it has come, it falls from there.
    Source: Hu et al., "MiniCPM", 2024.

    Args:
        peak: the rate between rise and fall.
        warmup: updates of the rise.
        updates: of the whole run.
    """

    def __init__(self, peak: float, warmup: int, updates: int):
        self.peak = peak
        self.warmup = warmup
        self.updates = updates

    def __call__(self, step):
        step = ops.cast(step, "float32")
        rise = (step + 1) / max(self.warmup, 1)
        fall = (self.updates - step) / (DECAY_SHARE * self.updates)
        return self.peak * ops.clip(ops.minimum(rise, fall), 0.0, 1.0)

    def get_config(self):
        return {"peak": self.peak, "warmup": self.warmup, "updates": self.updates}


def learning_rate(schedule: str, peak: float, warmup: int, updates: int):
    """A rate for Keras' optimizers: a number or a schedule.

    Args:
        schedule: "constant", "cosine" (down to zero along half a cosine) or "wsd", see
            `WarmupStableDecay`.
        peak: the largest rate.
        warmup: updates in which it rises linearly from zero to `peak`.
        updates: of the whole run, those of the warm-up included.
    """
    if schedule == "wsd":
        return WarmupStableDecay(peak, warmup, updates)
    if schedule == "cosine":
        return keras.optimizers.schedules.CosineDecay(
            0.0 if warmup else peak,
            decay_steps=max(updates - warmup, 1),
            warmup_target=peak if warmup else None,
            warmup_steps=warmup,
        )
    if warmup:
        return keras.optimizers.schedules.PolynomialDecay(0.0, warmup, end_learning_rate=peak)
    return peak


# MERGED: The loss, and what of it is shown.


@keras.saving.register_keras_serializable("mim_tf")
class HalfSquaredError(keras.losses.Loss):
    """Half the sum of squares over a sequence; summed over the batch.

    Its gradient is that of the sum, so the batch size matters to Adam's epsilon alone. A target
    that is NaN is missing, and costs nothing. Source: 2019 code, `l2_loss`.

    Call arguments:
        y_true: frames 2..T, `[B, T-1, H, W, C]`.
        y_pred: their predictions.
    """

    def __init__(self, reduction="sum", name="half_squared_error", **kwargs):
        super().__init__(name=name, reduction=reduction, **kwargs)

    def call(self, y_true, y_pred):
        return half_squared_error(y_true, y_pred)


@keras.saving.register_keras_serializable("mim_tf")
def half_squared_error(y_true, y_pred):
    """Half the sum of squares of each sequence, `[B]`; its mean is what the 2019 code prints.

    Raises `MimError` for targets of another shape than predictions.
    """
    _check_shapes(y_true.shape, y_pred.shape)
    y_true = ops.cast(y_true, y_pred.dtype)
    y_true = ops.where(ops.isnan(y_true), y_pred, y_true)
    return 0.5 * ops.sum(ops.square(y_pred - y_true), axis=(1, 2, 3, 4))


def _check_shapes(targets, predictions):
    known = [  # sizes that are not known yet are None, or symbols of JAX
        (target, prediction)
        for target, prediction in zip(targets, predictions, strict=False)
        if isinstance(target, int) and isinstance(prediction, int)
    ]
    if len(targets) != len(predictions) or any(one != other for one, other in known):
        raise MimError(
            f"Targets must be frames 2..T, {list(predictions)}, received {list(targets)}: "
            "model.fit(frames, frames[:, 1:])."
        )


# MERGED: Biases that start a little off zero.


def draw_biases(model, bound: float, seed: int) -> None:
    """Draws the biases of all convolutions uniformly from -bound to bound.

    In a network whose biases are exactly zero, as the 2019 code starts with, an empty frame leaves
    all states exactly zero. That fixed point is unstable: layer norm multiplies by up to
    `1 / sqrt(epsilon)`, 316, in each layer and frame, and gradients through a few such frames
    overflow. Biases of a thousandth already keep them as large as without empty frames.

    Args:
        model: a `VideoPredictor`; its biases are replaced.
        bound: 0 leaves the model as it is.
        seed: of the draws.
    """
    random = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        if bound and variable.name == "bias":
            variable.assign(random.uniform(-bound, bound, variable.shape))
