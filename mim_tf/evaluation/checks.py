"""Checks of a batch, for scores of every kind."""

import numpy as np
from numpy.typing import ArrayLike

from mim_tf.errors import MimError

FRAME_AXES = (-3, -2, -1)


def check_batch(
    truth: ArrayLike,
    prediction: ArrayLike,
    horizon: int | None,
    sequences: int,
    in_unit: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """Truth and prediction `[B, horizon, H, W, C]` as float32 arrays.

    Args:
        truth: floats; NaN where a value is missing.
        prediction: of the same shape, finite.
        horizon: frames of earlier batches, None for the first batch.
        sequences: number of sequences in earlier batches, which messages count on from.
        in_unit: whether the truth has to be in [0, 1].

    Raises `MimError` for anything else.
    """
    truth, prediction = np.asarray(truth, np.float32), np.asarray(prediction, np.float32)
    if truth.ndim != 5 or truth.shape != prediction.shape:
        raise MimError(
            "Scores need truth and prediction of one shape [B, horizon, H, W, C], received "
            f"{truth.shape} and {prediction.shape}. Give the predicted frames only, not the "
            "context."
        )
    if horizon not in (None, truth.shape[1]):
        raise MimError(
            f"Scores need the same horizon in every batch: {horizon} frames so far, received "
            f"{truth.shape[1]}. Use new scores for another horizon."
        )
    if in_unit and ((truth < 0) | (truth > 1)).any():
        raise MimError(
            f"Scores need a truth in [0, 1], received {np.nanmin(truth)} to {np.nanmax(truth)}. "
            "Give frames, not levels or physical values."
        )
    finite = np.isfinite(prediction).all(axis=FRAME_AXES)
    if not finite.all():
        sequence, frame = np.argwhere(~finite)[0]
        raise MimError(
            f"Scores need finite predictions, received NaN or infinity in predicted frame "
            f"{frame + 1} of {truth.shape[1]} (sequence {sequences + sequence + 1}): the weights "
            "diverged. Use an earlier checkpoint, or train with a lower learning rate."
        )
    return truth, prediction
