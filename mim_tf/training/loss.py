"""The loss, and what of it is shown."""

import keras
from keras import ops

from mim_tf.errors import MimError


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
