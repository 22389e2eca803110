"""Batches of a source: frames, and the truth to compare predictions with."""

import numpy as np

from mim_tf.data.source import Indices, SequenceSource


def load_batch(source: SequenceSource, indices: Indices) -> tuple[np.ndarray, np.ndarray]:
    """(frames, truth), each `[B, T, H, W, C]`; where values are missing, truth is NaN.

    One after the other, so that what was read for the frames is at hand to say what is missing.
    """
    frames = source.sequences(indices)
    if not source.has_missing:
        return frames, frames
    return frames, np.where(source.missing(indices), np.float32(np.nan), frames)
