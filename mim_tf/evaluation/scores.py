"""Scores of single frames."""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import correlate1d
from skimage.metrics import structural_similarity

from mim_tf.evaluation.checks import FRAME_AXES

SSIM_WINDOW = 7


def to_uint8(frames: ArrayLike) -> np.ndarray:
    """Floats in any range to uint8: clipped to [0, 1], times 255, truncated as in 2019 code."""
    # Single precision, as in 2019: another precision could truncate to another level.
    return (np.clip(np.asarray(frames, np.float32), 0, 1) * np.float32(255)).astype(np.uint8)


def squared_error(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Sum of squared differences of floats `[..., H, W, C]`; returns `[...]`."""
    return np.sum(np.square(prediction - truth), axis=FRAME_AXES, dtype=np.float64)


def absolute_error(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Sum of absolute differences of floats `[..., H, W, C]`; returns `[...]`."""
    return np.sum(np.abs(prediction - truth), axis=FRAME_AXES, dtype=np.float64)


def psnr(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Peak signal-to-noise ratio in dB of uint8 frames `[..., H, W, C]`; returns `[...]`.

    Identical frames count as if one value differed by one level, the smallest difference there
    is: 20 log10(255) + 10 log10(H W C). 2019 code gave infinity, and with it an infinite mean.
    """
    difference = prediction.astype(np.int64) - truth
    total = np.maximum(np.sum(difference**2, axis=FRAME_AXES), 1)
    return 20 * np.log10(255) - 10 * np.log10(total / math.prod(truth.shape[-3:]))


def ssim(truth: np.ndarray, prediction: np.ndarray, data_range: float) -> np.ndarray:
    """Structural similarity of frames `[..., H, W, C]`, uint8 or float; returns `[...]`.

    scikit-image's defaults: a uniform 7x7 window, channels averaged. NaN where height or width is
    below 7, because the window does not fit.
    """
    *leading, height, width, channels = truth.shape
    if min(height, width) < SSIM_WINDOW:
        return np.full(leading, np.nan)
    pairs = zip(
        truth.reshape(-1, height, width, channels),
        prediction.reshape(-1, height, width, channels),
        strict=True,
    )
    scores = [structural_similarity(t, p, data_range=data_range, channel_axis=-1) for t, p in pairs]
    return np.array(scores, np.float64).reshape(leading)


def sharpness(frames: np.ndarray) -> np.ndarray:
    """Largest absolute Laplacian, at most 255, of uint8 frames `[..., H, W, C]`; returns `[...]`.

    Equal to OpenCV's `convertScaleAbs(Laplacian(frame, CV_16S)).max()`, as in 2019 code: second
    differences along height and width, added, the border mirrored without repeating its pixel.
    """
    levels = frames.astype(np.int16)
    laplacian = sum(correlate1d(levels, [1, -2, 1], axis=axis, mode="mirror") for axis in (-3, -2))
    return np.minimum(np.abs(laplacian).max(axis=FRAME_AXES), 255)
