"""Prediction from NumPy arrays."""

import numpy as np

from mim_tf.errors import MimError


def predict(model, context, horizon: int, batch_size: int = 8) -> np.ndarray:
    """Predicts the frames that follow `context`.

    Args:
        model: a `VideoPredictor`.
        context: `[B, T, H, W, C]`, float in [0, 1] or uint8; any T >= 1.
        horizon: frames to predict, >= 1.
        batch_size: sequences at a time.

    Returns:
        `[B, horizon, H, W, C]`, float32, not clipped to [0, 1].

    Raises:
        MimError: if `context` does not fit the model, is outside [0, 1] or not finite.
    """
    context = _checked(np.asarray(context), model.config)
    if horizon < 1:
        raise MimError(f"horizon must be at least 1, received {horizon}.")
    forecast = np.empty((len(context), horizon, *model.config.frame_shape), np.float32)
    for first in range(0, len(context), batch_size):
        batch = context[first : first + batch_size]
        # Not Keras' predict, which sets up a data set for each call: 0.2 s.
        forecast[first : first + batch_size] = model.open_loop.predict_on_batch(
            {"context": batch, "horizon": np.zeros((len(batch), horizon), np.float32)}
        )
    return forecast


def _checked(context, config):
    if context.ndim != 5 or context.shape[2:] != config.frame_shape or not context.size:
        expected = ", ".join(map(str, config.frame_shape))
        raise MimError(
            f"context must be [B, T, {expected}] (B, T, H, W, C) with B and T at least 1, "
            f"received {context.shape}."
        )
    if context.dtype == np.uint8:
        return context.astype(np.float32) / 255
    context = context.astype(np.float32)
    low, high = context.min(), context.max()
    if not (low >= 0 and high <= 1):
        raise MimError(
            f"context must be finite and in [0, 1] (or uint8), received values in [{low}, {high}]."
        )
    return context
