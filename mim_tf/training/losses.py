"""The losses of a training: of the 2019 code, and for rain, whose large values are rare."""

import keras
import numpy as np
from keras import ops

from mim_tf.data.sets.hko7 import dbz_of_rain
from mim_tf.errors import MimError
from mim_tf.values.scale import LinearScale
from mim_tf.values.text import listed

_RATES = (2.0, 5.0, 10.0, 30.0)  # mm/h
_WEIGHTS = (1.0, 2.0, 5.0, 10.0, 30.0)  # below the first rate, and from each rate on
POWERS = {"balanced": 1.0, "half_balanced": 0.5}
"""Power of the weights. With 1 a network predicts too much rain, without weights too little."""


def loss_for(kind: str, scale: LinearScale | None) -> keras.losses.Loss:
    """Return the loss of a `TrainingConfig.loss`, for frames on `scale`.

    Those of `POWERS` raise `MimError` for frames that are neither rain rates nor reflectivity.
    Other kinds raise it, too.
    """
    if kind == "l2":
        return HalfSquaredError()
    if kind == "l1+l2":
        return AbsoluteAndSquaredError()
    if not isinstance(kind, str) or kind not in POWERS:
        known = listed(["l2", "l1+l2", *POWERS])
        raise MimError(f"Expected the loss {known}, got {kind!r:.80}. Others: model.compile(...).")
    scale = scale.of_channel(0) if scale and scale.channels == 1 else scale  # of a grid
    if scale and scale.is_reflectivity:
        levels = scale.to_unit(dbz_of_rain(np.array(_RATES)))
    elif scale and scale.transform:
        levels = scale.to_unit(np.array(_RATES))
    else:
        raise MimError(
            f"loss={kind} is for rain in mm/h with --scale=log or dbz, and for reflectivity in "
            f"dBZ, got {scale.words if scale else 'frames without a unit'}."
        )
    return AbsoluteAndSquaredError(levels.tolist(), POWERS[kind])


class _LossOfSequences(keras.losses.Loss):
    """Loss of each sequence, `[B]`, which Keras would broadcast against weights of pixels."""

    def __call__(self, y_true, y_pred, sample_weight=None):
        shape = tuple(np.shape(sample_weight))
        if shape[1:] not in ((), (1,)):
            raise MimError(
                f"Expected a sample_weight for each sequence, [B], got {list(shape)}. To leave out "
                "pixels or frames, set their targets to NaN."
            )
        return super().__call__(y_true, y_pred, sample_weight)


@keras.saving.register_keras_serializable("mim_tf")
class HalfSquaredError(_LossOfSequences):
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
    y_true = _with_missing(y_true, y_pred)
    return 0.5 * ops.sum(ops.square(y_pred - y_true), axis=(1, 2, 3, 4))


@keras.saving.register_keras_serializable("mim_tf")
class AbsoluteAndSquaredError(_LossOfSequences):
    """The sum of squared and absolute errors over all sequences of the batch.

    With `levels`, errors where the truth reaches them weigh 2, 5, 10 and 30 times as much, to the
    `power`. Sources: Ma et al., MS-RNN, 2022; the balanced errors of Shi et al., 2017. Missing
    values and call arguments are as for `HalfSquaredError`.
    """

    def __init__(self, levels=(), power=1.0, name="absolute_and_squared_error", **kwargs):
        super().__init__(name=name, **{"reduction": "sum"} | kwargs)
        self.levels, self.power = tuple(levels), power

    def call(self, y_true, y_pred):
        y_true = _with_missing(y_true, y_pred)
        weights = 1.0
        steps = np.diff(np.power(_WEIGHTS, self.power)).tolist()
        for level, step in zip(self.levels, steps, strict=False):
            weights = weights + step * ops.cast(y_true >= level, y_pred.dtype)
        errors = ops.square(y_pred - y_true) + ops.abs(y_pred - y_true)
        return ops.sum(weights * errors, axis=(1, 2, 3, 4))

    def get_config(self):
        return super().get_config() | {"levels": list(self.levels), "power": self.power}


def _with_missing(y_true, y_pred):
    """Return targets with the prediction where they are missing; check their shape."""
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
    return ops.where(ops.isnan(y_true), y_pred, y_true)
