"""The 2019 scores of predicted frames, gathered batch by batch."""

import math

import numpy as np
from scipy.ndimage import correlate1d
from skimage.metrics import structural_similarity

from mim_tf.errors import MimError
from mim_tf.evaluation.pair import FRAME_AXES, as_json, check_pair

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


class FrameScores:
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

    def __init__(self):
        self.sequences = 0
        self.sums = None

    def update(self, truth, prediction):
        """Adds a batch.

        Args:
            truth: `[B, horizon, H, W, C]`, floats in [0, 1]; NaN where a value is missing.
            prediction: the same shape, not clipped.

        Raises:
            MimError: shapes do not match, the truth leaves [0, 1], or a prediction is not finite.
        """
        horizon = len(self.sums["mse"]) if self.sums else None
        truth, prediction = check_pair(truth, prediction, horizon, self.sequences)
        missing = np.isnan(truth)
        if missing.any():
            truth, prediction = np.where(missing, 0, truth), np.where(missing, 0, prediction)
        clipped = np.clip(prediction, 0, 1)
        truth_uint8, prediction_uint8 = to_uint8(truth), to_uint8(prediction)
        scores = {
            "mse": squared_error(truth, clipped),
            "mae": absolute_error(truth, prediction),
            "psnr": psnr(truth_uint8, prediction_uint8),
            "ssim_uint8": ssim(truth_uint8, prediction_uint8, data_range=255),
            "ssim_float": ssim(truth, clipped, data_range=2),
            "sharpness": sharpness(prediction_uint8),
        }
        sums = {name: values.sum(axis=0, dtype=np.float64) for name, values in scores.items()}
        if self.sums:
            sums = {name: self.sums[name] + values for name, values in sums.items()}
        self.sums = sums
        self.sequences += len(truth)

    def result(self):
        """Means so far, as JSON types; raises MimError where there are no sequences.

        Returns:
            `{"sequences": int, "mean": {score: float}, "per_frame": {score: [horizon floats]}}`;
            `mean` is over frames and sequences.
        """
        if not self.sequences:
            raise MimError("Scores need at least one sequence, received none. Call update first.")
        per_frame = {name: values / self.sequences for name, values in self.sums.items()}
        return {
            "sequences": self.sequences,
            "mean": {
                name: as_json(values.mean(keepdims=True))[0] for name, values in per_frame.items()
            },
            "per_frame": {name: as_json(values) for name, values in per_frame.items()},
        }
