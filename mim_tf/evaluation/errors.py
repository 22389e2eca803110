"""Whether a score is better when it is higher or lower."""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import correlate1d
from skimage.metrics import structural_similarity

from mim_tf.evaluation.statistics import FRAME_AXES, AccumulatedScores
from mim_tf.values.scale import ConvertedScale, LinearScale

_DIRECTIONS = {
    "mse": -1,
    "mae": -1,
    "rmse": -1,
    "B-MSE": -1,
    "B-MAE": -1,
    "psnr": 1,
    "ssim": 1,
    "CSI": 1,
    "POD": 1,
    "FAR": -1,
    "HSS": 1,
    "FSS": 1,
    "RMSE": -1,
    "ACC": 1,
}


def direction(score: str) -> int:
    """1 where higher is better, -1 where lower is; 0 for a score that is neither (sharpness).

    Args:
        score: its name, such as `ssim_uint8`; what follows `_` does not count.
    """
    return _DIRECTIONS.get(score.partition("_")[0], 0)


def is_better(score: str, value: float | None, other: float | None) -> bool:
    """Whether `value` is truly better than `other`; never where one is None."""
    return None not in (value, other) and direction(score) * (value - other) > 0


# MERGED: Scores of single frames.


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


# MERGED: Errors of one value, as means over all values.


class PixelErrors(AccumulatedScores):
    """Errors of one value in [0, 1], per predicted frame. Predictions are not clipped.

    - `mse`: mean squared difference
    - `mae`: mean absolute difference
    - `rmse`: root of `mse`

    A frame's mean is over all its values in all sequences, the overall one over all values of all
    frames, so that the overall RMSE is not the mean of the frames' RMSE. Missing values are left
    out; None where every value is missing.
    """

    def _addends(self, truth, prediction):
        known = ~np.isnan(truth)
        difference = np.where(known, np.subtract(prediction, truth, dtype=np.float64), 0)
        return {
            "squared": np.square(difference).sum(axis=FRAME_AXES),
            "absolute": np.abs(difference).sum(axis=FRAME_AXES),
            "count": known.sum(axis=FRAME_AXES, dtype=np.float64),
        }

    def _scores(self, sums, sequences):
        with np.errstate(invalid="ignore"):
            mse = sums["squared"] / sums["count"]
            return {"mse": mse, "mae": sums["absolute"] / sums["count"], "rmse": np.sqrt(mse)}

    def _mean(self, sums, sequences):
        return self._scores({name: values.sum(axis=-1) for name, values in sums.items()}, sequences)


# MERGED: Errors of predicted frames in physical units.


class PhysicalErrors(PixelErrors):
    """`mae_<unit>` and `rmse_<unit>`: `PixelErrors` in the unit of `scale`.

    Where channels have units and ranges of their own, each has its own scores, such as
    `mae_t2m_K`.

    Args:
        scale: what 0 and 1 in a frame stand for.
    """

    def __init__(self, scale: LinearScale):
        super().__init__(scale)
        self.scale = scale
        # The end of the scores' names -> channels, and what 1 in a frame is in the unit.
        self._channels = {_name(scale): (slice(None), _size(scale))}
        if not scale.is_uniform:
            channels = map(scale.of_channel, range(scale.channels or len(scale.unit)))
            self._channels = {
                _name(each): (slice(n, n + 1), _size(each)) for n, each in enumerate(channels)
            }

    def _addends(self, truth, prediction):
        addends = {}
        for name, (channels, _) in self._channels.items():
            own = super()._addends(truth[..., channels], prediction[..., channels])
            addends |= {f"{part} {name}": values for part, values in own.items()}
        return addends

    def _scores(self, sums, sequences):
        scores = {}
        for name, (_, size) in self._channels.items():
            own = {part: sums[f"{part} {name}"] for part in ("squared", "absolute", "count")}
            errors = super()._scores(own, sequences)
            scores |= {f"{score}_{name}": errors[score] * size for score in ("mae", "rmse")}
        return scores


def _name(scale):
    words = *scale.names[:1], "" if isinstance(scale.unit, tuple) else scale.unit
    return "_".join(word.replace(" ", "_") for word in words if word)


def _size(scale):
    return np.subtract(scale.high, scale.low)


# MERGED: Errors of predicted frames in units that are no linear function of the frames.


class ConvertedErrors(PixelErrors):
    """`mae_<unit>` and `rmse_<unit>` of converted values; predictions are clipped to [0, 1].

    Args:
        scale: how frames are converted.
    """

    def __init__(self, scale: ConvertedScale):
        super().__init__(scale)
        self._scale = scale

    def _addends(self, truth, prediction):
        return super()._addends(*(self._scale.to_physical(part) for part in (truth, prediction)))

    def _scores(self, sums, sequences):
        errors = super()._scores(sums, sequences)
        return {f"{name}_{self._scale.unit}": errors[name] for name in ("mae", "rmse")}
