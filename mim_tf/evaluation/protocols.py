"""Which scores of frames there are under which name: clipping and data range stand here, once."""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np

from mim_tf.errors import MimError
from mim_tf.evaluation.errors import (
    PixelErrors,
    absolute_error,
    psnr,
    sharpness,
    squared_error,
    ssim,
    to_uint8,
)
from mim_tf.evaluation.events import EVENT_RULES
from mim_tf.evaluation.statistics import AccumulatedScores
from mim_tf.values.scale import UNIT, LinearScale


@dataclasses.dataclass
class Frames:
    """Truth and prediction `[B, horizon, H, W, C]` in the forms that scores ask for."""

    truth: np.ndarray
    prediction: np.ndarray
    scale: LinearScale = UNIT

    @functools.cached_property
    def clipped(self) -> np.ndarray:
        """The prediction, in [0, 1] where the scale is clipped."""
        return self.scale.clip(self.prediction)

    @functools.cached_property
    def shown_truth(self) -> np.ndarray:
        """The truth from black to white, in [0, 1]."""
        return self.scale.shown(self.truth)

    @functools.cached_property
    def shown(self) -> np.ndarray:
        """The prediction from black to white, in [0, 1]."""
        return self.scale.shown(self.prediction)

    @functools.cached_property
    def truth_levels(self) -> np.ndarray:
        """The truth as uint8."""
        return to_uint8(self.shown_truth)

    @functools.cached_property
    def levels(self) -> np.ndarray:
        """The prediction as uint8."""
        return to_uint8(self.shown)


FRAME_SCORES: dict[str, dict[str, Callable[[Frames], np.ndarray]]] = {
    # The 2019 code. It printed one SSIM or the other, by version.
    "mim2019": {
        "mse": lambda frames: squared_error(frames.truth, frames.clipped),
        "mae": lambda frames: absolute_error(frames.truth, frames.prediction),
        "psnr": lambda frames: psnr(frames.truth_levels, frames.levels),
        "ssim_uint8": lambda frames: ssim(frames.truth_levels, frames.levels, data_range=255),
        "ssim_float": lambda frames: ssim(frames.shown_truth, frames.shown, data_range=2),
        "sharpness": lambda frames: sharpness(frames.levels),
    },
    # OpenSTL, `metrics.py`. It names no data range for SSIM; scikit-image took 2, from -1 to 1,
    # for floats. Its PSNR was of 8 bits at first, in arithmetic that wraps around, which this one
    # does not; later releases compute it of floats.
    "openstl": {
        "mse": lambda frames: squared_error(frames.truth, frames.prediction),
        "mae": lambda frames: absolute_error(frames.truth, frames.prediction),
        "ssim": lambda frames: ssim(frames.shown_truth, frames.shown, data_range=2),
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

    `mse` and `mae` are of frames as the network has them. PSNR, SSIM and sharpness, which need a
    range, are of frames as pictures show them, from black to white of the scale.

    Args:
        protocol: of `FRAME_SCORES`.
        scale: of the frames; None: they are in [0, 1].
    """

    def __init__(self, protocol: str = "mim2019", scale: LinearScale | None = None):
        super().__init__(protocol, *([scale] if scale else []))
        self.scale = scale or UNIT
        self._functions = FRAME_SCORES[protocol]

    def _addends(self, truth, prediction):
        missing = np.isnan(truth)
        if missing.any():
            truth, prediction = np.where(missing, 0, truth), np.where(missing, 0, prediction)
        frames = Frames(truth, prediction, self.scale)
        return {
            name: np.asarray(score(frames), np.float64) for name, score in self._functions.items()
        }

    def _scores(self, sums, sequences):
        return {name: values / sequences for name, values in sums.items()}


def protocol_scores(protocol: str, scale: LinearScale | None = None) -> AccumulatedScores:
    """Empty scores of a protocol, for frames of a scale.

    Raises:
        MimError: for a name that is not in `PROTOCOLS`.
    """
    if protocol not in PROTOCOLS:
        raise MimError(f"protocol must be one of {', '.join(PROTOCOLS)}, received {protocol!r}.")
    if protocol in FRAME_SCORES:
        return FrameScores(protocol, scale)
    scores = PixelErrors()
    scores.scale = scale or UNIT
    return scores
