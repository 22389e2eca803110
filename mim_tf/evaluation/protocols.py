"""Which scores of frames there are under which name: clipping and data range stand here, once."""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np

from mim_tf.errors import MimError
from mim_tf.evaluation.accumulated import AccumulatedScores
from mim_tf.evaluation.events import EVENT_RULES
from mim_tf.evaluation.pixel import PixelErrors
from mim_tf.evaluation.scores import (
    absolute_error,
    psnr,
    sharpness,
    squared_error,
    ssim,
    to_uint8,
)


@dataclasses.dataclass
class Frames:
    """Truth and prediction `[B, horizon, H, W, C]` in the forms that scores ask for."""

    truth: np.ndarray
    prediction: np.ndarray

    @functools.cached_property
    def clipped(self) -> np.ndarray:
        """The prediction in [0, 1]."""
        return np.clip(self.prediction, 0, 1)

    @functools.cached_property
    def truth_levels(self) -> np.ndarray:
        """The truth as uint8."""
        return to_uint8(self.truth)

    @functools.cached_property
    def levels(self) -> np.ndarray:
        """The prediction as uint8."""
        return to_uint8(self.prediction)


FRAME_SCORES: dict[str, dict[str, Callable[[Frames], np.ndarray]]] = {
    # The 2019 code. It printed one SSIM or the other, by version.
    "mim2019": {
        "mse": lambda frames: squared_error(frames.truth, frames.clipped),
        "mae": lambda frames: absolute_error(frames.truth, frames.prediction),
        "psnr": lambda frames: psnr(frames.truth_levels, frames.levels),
        "ssim_uint8": lambda frames: ssim(frames.truth_levels, frames.levels, data_range=255),
        "ssim_float": lambda frames: ssim(frames.truth, frames.clipped, data_range=2),
        "sharpness": lambda frames: sharpness(frames.levels),
    },
    # OpenSTL, `metrics.py`. It names no data range for SSIM; scikit-image took 2, from -1 to 1,
    # for floats. Its PSNR was of 8 bits at first, in arithmetic that wraps around, which this one
    # does not; later releases compute it of floats.
    "openstl": {
        "mse": lambda frames: squared_error(frames.truth, frames.prediction),
        "mae": lambda frames: absolute_error(frames.truth, frames.prediction),
        "ssim": lambda frames: ssim(frames.truth, frames.clipped, data_range=2),
        "psnr": lambda frames: psnr(frames.truth_levels, frames.levels),
    },
}
"""Protocol -> score -> values `[B, horizon]`. `mse` and `mae` are sums over H, W, C."""

PROTOCOLS = (*FRAME_SCORES, "per_pixel", *EVENT_RULES)
"""Names of all protocols; those that are not in `FRAME_SCORES` have `PixelErrors`."""


class FrameScores(AccumulatedScores):
    """Mean scores per predicted frame, as a protocol defines them.

    The 2019 code left out a last, smaller batch; here every sequence counts the same. A missing
    value counts as one that was predicted exactly: truth and prediction are both set to 0. SSIM is
    None for frames below 7x7, which its window does not fit.

    Args:
        protocol: of `FRAME_SCORES`.
    """

    def __init__(self, protocol: str = "mim2019"):
        super().__init__(protocol)
        self._functions = FRAME_SCORES[protocol]

    def _addends(self, truth, prediction):
        missing = np.isnan(truth)
        if missing.any():
            truth, prediction = np.where(missing, 0, truth), np.where(missing, 0, prediction)
        frames = Frames(truth, prediction)
        return {
            name: np.asarray(score(frames), np.float64) for name, score in self._functions.items()
        }

    def _scores(self, sums, sequences):
        return {name: values / sequences for name, values in sums.items()}


def protocol_scores(protocol: str) -> AccumulatedScores:
    """Empty scores of a protocol.

    Raises:
        MimError: for a name that is not in `PROTOCOLS`.
    """
    if protocol not in PROTOCOLS:
        raise MimError(f"protocol must be one of {', '.join(PROTOCOLS)}, received {protocol!r}.")
    return FrameScores(protocol) if protocol in FRAME_SCORES else PixelErrors()
