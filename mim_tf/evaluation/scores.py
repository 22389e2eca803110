"""The 2019 scores of predicted frames, gathered batch by batch."""

import math

import numpy as np
from scipy.ndimage import correlate1d
from skimage.metrics import structural_similarity

from mim_tf.evaluation.accumulated import AccumulatedScores
from mim_tf.evaluation.checks import FRAME_AXES

SSIM_WINDOW = 7


def to_uint8(frames):
    """Floats in any range to uint8: clipped to [0, 1], times 255, truncated as in 2019 code."""
    # Single precision, as in 2019: another precision could truncate to another level.
    return (np.clip(np.asarray(frames, np.float32), 0, 1) * np.float32(255)).astype(np.uint8)


def squared_error(truth, prediction):
    """Sum of squared differences of floats `[..., H, W, C]`; returns `[...]`."""
    return np.sum(np.square(prediction - truth), axis=FRAME_AXES, dtype=np.float64)


def absolute_error(truth, prediction):
    """Sum of absolute differences of floats `[..., H, W, C]`; returns `[...]`."""
    return np.sum(np.abs(prediction - truth), axis=FRAME_AXES, dtype=np.float64)


def psnr(truth, prediction):
    """Peak signal-to-noise ratio in dB of uint8 frames `[..., H, W, C]`; returns `[...]`.

    Identical frames count as if one value differed by one level, the smallest difference there
    is: 20 log10(255) + 10 log10(H W C). 2019 code gave infinity, and with it an infinite mean.
    """
    difference = prediction.astype(np.int64) - truth
    total = np.maximum(np.sum(difference**2, axis=FRAME_AXES), 1)
    return 20 * np.log10(255) - 10 * np.log10(total / math.prod(truth.shape[-3:]))


def ssim(truth, prediction, data_range):
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


def sharpness(frames):
    """Largest absolute Laplacian, at most 255, of uint8 frames `[..., H, W, C]`; returns `[...]`.

    Equal to OpenCV's `convertScaleAbs(Laplacian(frame, CV_16S)).max()`, as in 2019 code: second
    differences along height and width, added, the border mirrored without repeating its pixel.
    """
    levels = frames.astype(np.int16)
    laplacian = sum(correlate1d(levels, [1, -2, 1], axis=axis, mode="mirror") for axis in (-3, -2))
    return np.minimum(np.abs(laplacian).max(axis=FRAME_AXES), 255)


class FrameScores(AccumulatedScores):
    """Mean scores per predicted frame over all sequences given to `update`.

    Source: 2019 code, whose definitions these are. It left out a last, smaller batch; here every
    sequence counts the same, however the batches are cut.

    - `mse`: sum over H, W, C of squared error, predictions clipped to [0, 1]
    - `mae`: sum over H, W, C of absolute error, predictions as they are
    - `psnr`: dB, of uint8 frames; see `psnr` for identical frames
    - `ssim_uint8`: structural similarity of uint8 frames
    - `ssim_float`: the same of float frames, predictions clipped, with a data range of 2. The last
      2019 code printed this one, which is higher.
    - `sharpness`: 0 to 255, of uint8 predictions

    Both `ssim` are None for frames below 7x7, which the window does not fit. A missing value counts
    as one that was predicted exactly: truth and prediction are both set to 0.
    """

    def _addends(self, truth, prediction):
        missing = np.isnan(truth)
        if missing.any():
            truth, prediction = np.where(missing, 0, truth), np.where(missing, 0, prediction)
        clipped = np.clip(prediction, 0, 1)
        truth_uint8, prediction_uint8 = to_uint8(truth), to_uint8(prediction)
        return {
            "mse": squared_error(truth, clipped),
            "mae": absolute_error(truth, prediction),
            "psnr": psnr(truth_uint8, prediction_uint8),
            "ssim_uint8": ssim(truth_uint8, prediction_uint8, data_range=255),
            "ssim_float": ssim(truth, clipped, data_range=2),
            "sharpness": sharpness(prediction_uint8),
        }

    def _scores(self, sums):
        return {name: values / self.sequences for name, values in sums.items()}
