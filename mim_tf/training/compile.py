"""The loss of the 2019 code, learning rate schedules, and what starts a training."""

import keras
import numpy as np
from keras import ops

from mim_tf.config import TrainingConfig
from mim_tf.errors import MimError
from mim_tf.training.optimizers import AdamInsideRoot, Muon


def compile_for_training(
    model, learning_rate=1e-3, optimizer: keras.optimizers.Optimizer | None = None
) -> None:
    """Compile `model` with the loss of the 2019 code, and the metric `loss_per_sequence`.

    Args:
        model: a `VideoPredictor`.
        learning_rate: a number or a Keras schedule, for the optimizer of the 2019 code with its
            moving average of the weights.
        optimizer: used instead of the optimizer of the 2019 code.
    """
    if optimizer is None:
        optimizer = AdamInsideRoot(learning_rate, use_ema=True, ema_momentum=0.9995)
    model.compile(
        optimizer=optimizer,
        loss=HalfSquaredError(),
        metrics=[keras.metrics.MeanMetricWrapper(half_squared_error, name="loss_per_sequence")],
    )
    # If the optimizer were built later, Keras would trace the training step twice.
    model.optimizer.build(model.trainable_variables)


def make_optimizer(config: TrainingConfig, filters: int) -> keras.optimizers.Optimizer:
    """Return the optimizer of `config`; `filters` are the channels of a layer of the network."""
    updates = config.updates_per_iteration
    warmup, whole = config.warmup_iterations * updates, config.max_iterations * updates
    settings = {
        "learning_rate": learning_rate(config.lr_schedule, config.lr, warmup, whole),
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


_DECAY_SHARE = 0.2


@keras.saving.register_keras_serializable("mim_tf")
class WarmupStableDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Learning rate that rises linearly, stays, and falls linearly to 0 over the last fifth.

    The length of a run can be decided late. Train at the peak with a large `updates`; then resume
    with `updates` a quarter above the updates done, and the rate falls from there. Source: Hu et
    al., "MiniCPM", 2024.

    Args:
        peak: largest rate.
        warmup: updates over which the rate rises.
        updates: updates of the whole run.
    """

    def __init__(self, peak: float, warmup: int, updates: int):
        self.peak = peak
        self.warmup = warmup
        self.updates = updates

    def __call__(self, step):
        step = ops.cast(step, "float32")
        rise = (step + 1) / max(self.warmup, 1)
        fall = (self.updates - step) / (_DECAY_SHARE * self.updates)
        return self.peak * ops.clip(ops.minimum(rise, fall), 0.0, 1.0)

    def get_config(self):
        return {"peak": self.peak, "warmup": self.warmup, "updates": self.updates}


def learning_rate(schedule: str, peak: float, warmup: int, updates: int):
    """Return a number or a Keras schedule.

    `schedule` is "constant", "cosine" (falls to 0 along half a cosine) or "wsd", see
    `WarmupStableDecay`. In `warmup` of the `updates` the rate rises linearly from 0 to `peak`.
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


@keras.saving.register_keras_serializable("mim_tf")
class HalfSquaredError(keras.losses.Loss):
    """Half the sum of squared errors over all sequences of the batch (2019 code, `l2_loss`).

    A NaN target is missing and adds nothing. The gradient grows with the batch size, which changes
    an update by Adam only through its epsilon.

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
    """Return half the sum of squared errors of each sequence, `[B]`.

    The 2019 code prints the mean over sequences. Targets of a wrong shape raise `MimError`.
    """
    targets, predictions = y_true.shape, y_pred.shape
    # Unknown sizes are None with TensorFlow and symbols with JAX.
    known = [
        pair for pair in zip(targets, predictions, strict=False) if {*map(type, pair)} == {int}
    ]
    if len(targets) != len(predictions) or any(one != other for one, other in known):
        raise MimError(
            f"Expected frames 2..T as targets, {list(predictions)}, got {list(targets)}. Call "
            "model.fit(frames, frames[:, 1:])."
        )
    y_true = ops.cast(y_true, y_pred.dtype)
    y_true = ops.where(ops.isnan(y_true), y_pred, y_true)
    return 0.5 * ops.sum(ops.square(y_pred - y_true), axis=(1, 2, 3, 4))


def draw_biases(model, bound: float, seed: int) -> None:
    """Draw the biases of all convolutions of `model` uniformly from -bound to bound; 0: keep them.

    The 2019 code starts with zero biases. There an empty frame leaves all states exactly zero, an
    unstable fixed point: layer norm multiplies by up to `1 / sqrt(epsilon)`, 316, in each layer and
    frame. Gradients through a few empty frames overflow. Biases of 0.001 are enough to keep
    gradients as large as without empty frames.
    """
    random = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        if bound and variable.name == "bias":
            variable.assign(random.uniform(-bound, bound, variable.shape))
