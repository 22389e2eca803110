"""Learning rates that rise, and come down to zero."""

import keras
from keras import ops

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
