"""Prediction from context frames alone."""

import contextlib
import threading

import keras
import numpy as np
from keras import ops

from mim_tf.config import ModelConfig
from mim_tf.errors import MimError
from mim_tf.models.rollout import roll_out

# On JAX Keras gives the memory of the weights away while it predicts; a second thread would find
# none. Elsewhere threads predict side by side.
_alone = threading.Lock() if keras.backend.backend() == "jax" else contextlib.nullcontext()


def predict(model, context, horizon: int, batch_size: int = 8) -> np.ndarray:
    """As `model.forecast`, for any `VideoPredictor`.

    Frames are on the scale of the model. Where that stands for physical values, give
    `model.config.scale.to_unit(values)`, and `model.config.scale.to_physical(forecast)` gives them
    back.
    """
    return model.forecast(context, horizon, batch_size)


def roll_ahead(step, context, horizon: int):
    """Frames T+1 .. T+horizon, `[B, horizon, H, W, C]`, not clipped.

    Args:
        step: one time step, as in `models/step.py`.
        context: frames `[B, T, H, W, C]`, T >= 1.
        horizon: >= 1.
    """
    context = ops.cast(context, step.inputs[0].dtype)
    known = ops.ones_like(context[:, :, 0, 0, 0])
    unknown = ops.zeros((ops.shape(context)[0], horizon - 1), known.dtype)
    use_truth = ops.concatenate([known, unknown], axis=1)
    return roll_out(step, context, use_truth)[:, ops.shape(context)[1] - 1 :]


class Forecaster(keras.Model):
    """`roll_ahead` as a compiled Keras model.

    Call arguments:
        inputs: a dict of `context` and `horizon`, `[B, N]` for a horizon of N. Keras passes arrays
            only, and under XLA the number of frames has to be part of a shape; the values do not
            matter.
    """

    def __init__(self, step, jit_compile: bool, **kwargs):
        super().__init__(**kwargs)
        self.step = step
        self.jit_compile = jit_compile
        self.built = True

    def call(self, inputs):
        return roll_ahead(self.step, inputs["context"], ops.shape(inputs["horizon"])[1])

    def forecast(self, context: np.ndarray, horizon: int) -> np.ndarray:
        """Frames T+1 .. T+horizon of a batch, NumPy in and out."""
        steps = np.zeros((len(context), horizon), np.float32)
        # Not Keras' predict, which sets up a data set for each call: 0.2 s.
        with _alone:
            return self.predict_on_batch({"context": context, "horizon": steps})


def checked_context(context, config: ModelConfig, dtype: str = "float32") -> np.ndarray:
    """`context` as `dtype`; uint8 is divided by 255.

    Raises:
        MimError: if it does not fit the model, is not finite, or leaves [0, 1] where the model's
            scale is clipped; where it is not, if it is uint8.
    """
    context = np.asarray(context)
    if context.ndim != 5 or context.shape[2:] != config.frame_shape or not context.size:
        expected = ", ".join(map(str, config.frame_shape))
        raise MimError(
            f"context must be [B, T, {expected}] (B, T, H, W, C) with B and T at least 1, "
            f"received {context.shape}."
        )
    if context.dtype == np.uint8:
        if not config.frame_scale.clipped:
            raise MimError(
                "context must be float, on the scale of the model, received uint8. Give "
                "model.config.scale.to_unit(values), and take "
                "model.config.scale.to_physical(forecast)."
            )
        return context.astype(dtype) / 255
    context = context.astype(dtype)
    low, high = context.min(), context.max()
    if not config.frame_scale.clipped:
        if not (np.isfinite(low) and np.isfinite(high)):
            raise MimError(
                f"context must be finite, received values in [{low}, {high}]. Scaled values that "
                "are missing are 0."
            )
        return context
    if not (low >= 0 and high <= 1):
        raise MimError(
            f"context must be finite and in [0, 1] (or uint8), received values in [{low}, {high}]."
        )
    return context
