"""Errors of single frames and of single values, and in which direction a score is better."""

import math
import re
from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import correlate1d
from skimage.metrics import structural_similarity

from mim_tf.evaluation.statistics import FRAME_AXES, Batch, ScoreKind, Values
from mim_tf.values.scale import LinearScale
from mim_tf.values.text import listed

_HIGHER = ("psnr", "ssim", "CSI", "POD", "HSS", "FSS", "ACC")
_LOWER = ("mse", "mae", "rmse", "B-MSE", "B-MAE", "FAR", "RMSE")
_LETTERS = ("mse", "mae", "rmse", "psnr", "ssim")
_EVENTS = ("CSI", "POD", "FAR", "BIAS", "HSS", "FSS")
SSIM_WINDOW = 7


def direction(score: str) -> int:
    """Return 1 where higher is better, -1 where lower is, and 0 for neither (sharpness).

    What follows `_` in a name such as `ssim_uint8` does not count.
    """
    name = score.partition("_")[0]
    return (name in _HIGHER) - (name in _LOWER)


def threshold_of(score: str) -> str:
    """Return the threshold of a score of events, such as 30 of `CSI_pool4_30`; "" of others."""
    head, last = score.partition("_")[0], score.rpartition("_")[2]
    return last if head in _EVENTS and re.fullmatch(r"-?\d+(\.\d+)?", last) else ""


def score_title(score: str, threshold: bool = True) -> str:
    """Return the name of a score as in papers, such as "SSIM (uint8)", "CSI (30)" or "RMSE (K)".

    Without `threshold`, that of a score of events is left out, where it stands in a heading.
    """
    if score == "power_ratio":
        return "Power ratio"
    head, *rest = score.split("_")
    if threshold_of(score) and not threshold:
        del rest[-1]
    title = head.upper() if head in _LETTERS else head[:1].upper() + head[1:]
    return f"{title} ({' '.join(rest)})" if rest else title


def listed_titles(scores: Iterable[str]) -> str:
    """Return the titles of scores as text, such as "MSE and CSI (30, 40)"."""
    thresholds: dict[str, list[str]] = {}
    for score in scores:
        thresholds.setdefault(score_title(score, threshold=False), []).append(threshold_of(score))
    words = (
        f"{title} ({', '.join(one or 'mean' for one in each)})" if any(each) else title
        for title, each in thresholds.items()
    )
    return listed(words, "and")


def is_better(score: str, value: float | None, other: float | None) -> bool:
    """Check whether `value` is strictly better than `other`; None never is, nor is it worse."""
    if value is None or other is None:
        return False
    return direction(score) * (value - other) > 0


# Scores of single frames `[..., H, W, C]`; each returns `[...]`.


def to_uint8(frames: ArrayLike) -> np.ndarray:
    """Convert floats in any range to uint8: clipped to [0, 1], times 255, truncated as in 2019."""
    # Single precision, as in 2019: another precision could truncate to another level.
    return (np.clip(np.asarray(frames, np.float32), 0, 1) * np.float32(255)).astype(np.uint8)


def psnr(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Return the peak signal-to-noise ratio in dB of uint8 frames.

    Identical frames count as if one value differed by one level, the smallest difference there
    is: 20 log10(255) + 10 log10(H W C). 2019 code gave infinity, and with it an infinite mean.
    """
    difference = prediction.astype(np.int64) - truth
    total = np.maximum(np.sum(difference**2, axis=FRAME_AXES), 1)
    return 20 * np.log10(255) - 10 * np.log10(total / math.prod(truth.shape[-3:]))


def ssim(truth: np.ndarray, prediction: np.ndarray, data_range: float) -> np.ndarray:
    """Return the structural similarity of uint8 or float frames.

    scikit-image's defaults: a uniform 7x7 window, channels averaged. NaN where height or width is
    below 7, because the window does not fit.
    """
    *leading, height, width, channels = truth.shape
    if min(height, width) < SSIM_WINDOW:
        return np.full(leading, np.nan)
    pairs = zip(*(x.reshape(-1, height, width, channels) for x in (truth, prediction)), strict=True)
    scores = [structural_similarity(*p, data_range=data_range, channel_axis=-1) for p in pairs]
    return np.array(scores, np.float64).reshape(leading)


def sharpness(frames: np.ndarray) -> np.ndarray:
    """Return the largest absolute Laplacian, at most 255, of uint8 frames.

    Equal to OpenCV's `convertScaleAbs(Laplacian(frame, CV_16S)).max()`, as in 2019 code: second
    differences along height and width, added, the border mirrored without repeating its pixel.
    """
    levels = frames.astype(np.int16)
    laplacian = sum(correlate1d(levels, [1, -2, 1], axis=axis, mode="mirror") for axis in (-3, -2))
    return np.minimum(np.abs(laplacian).max(axis=FRAME_AXES), 255)


# Errors of single values, as means over all values that are not missing.


class PixelErrors(ScoreKind):
    """Errors of one value in [0, 1], per predicted frame. Predictions are not clipped.

    - `mse`: mean squared difference
    - `mae`: mean absolute difference
    - `rmse`: root of `mse`

    A frame's mean is over all its values in all sequences, the overall one over all values of all
    frames, so that the overall RMSE is not the mean of the frames' RMSE. Missing values are left
    out; None where every value is missing.

    Args:
        unit: of the errors, which are then `mae_<unit>` and `rmse_<unit>`; with the name of the
            variable where channels have units of their own.
        convert: function from frames to values, of which errors are made.
        channels: index of the channels that count.
        size: factor of the errors in a unit.
    """

    pools_frames = True

    def __init__(self, unit: str | None = None, convert=np.asarray, channels=slice(None), size=1.0):
        self._unit, self._size = unit, size
        self._convert, self._channels = convert, channels

    def addends(self, batch: Batch) -> Values:
        parts = (part[..., self._channels] for part in (batch.truth, batch.prediction, batch.known))
        truth, prediction, known = parts
        difference = np.subtract(self._convert(prediction), self._convert(truth), dtype=np.float64)
        difference = np.where(known, difference, 0)
        return {
            "squared": np.square(difference).sum(axis=FRAME_AXES),
            "absolute": np.abs(difference).sum(axis=FRAME_AXES),
            "count": known.sum(axis=FRAME_AXES, dtype=np.float64),
        }

    def scores(self, sums: Values) -> Values:
        with np.errstate(invalid="ignore"):
            mse, mae = (sums[name] / sums["count"] for name in ("squared", "absolute"))
            rmse = np.sqrt(mse)
        if self._unit is None:
            return {"mse": mse, "mae": mae, "rmse": rmse}
        return {f"mae_{self._unit}": mae * self._size, f"rmse_{self._unit}": rmse * self._size}


def unit_errors(scale: LinearScale) -> list[PixelErrors]:
    """Return errors in the unit of `scale`, such as `mae_K`.

    Where channels have units and ranges of their own, each has its own scores, such as
    `mae_t2m_K`.
    """
    count = 1 if scale.is_uniform else scale.channels or len(scale.unit)
    found = []
    for number in range(count):
        each = scale if scale.is_uniform else scale.of_channel(number)
        words = *each.names[:1], "" if isinstance(each.unit, tuple) else each.unit
        name = "_".join(word.replace(" ", "_") for word in words if word)
        channels, size = slice(number, None, count), np.subtract(each.high, each.low)
        # Errors of a linear scale are computed from those of frames, whose rounding is smaller.
        found.append(
            PixelErrors(name, lambda frames, one=each: one.to_physical(one.clip(frames)), channels)
            if each.transform
            else PixelErrors(name, channels=channels, size=size)
        )
    return found
