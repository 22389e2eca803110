"""Protocols: which scores an evaluation has, under which names, with which clipping and range."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mim_tf.data.source import SequenceSource
from mim_tf.errors import MimError
from mim_tf.evaluation import errors, events, fields
from mim_tf.evaluation.statistics import FRAME_AXES, Batch, ScoreKind, Scores, Values
from mim_tf.values.scale import UNIT, LinearScale


class Frames(NamedTuple):
    """Truth and prediction of a batch, 0 where missing, in the forms that protocols score."""

    truth: np.ndarray
    prediction: np.ndarray
    clipped: np.ndarray  # the prediction, in [0, 1] if the scale is clipped
    shown: tuple[np.ndarray, np.ndarray]  # both from black to white, in [0, 1]
    levels: tuple[np.ndarray, np.ndarray]  # both as uint8


def _summed(values):
    return values.sum(axis=FRAME_AXES, dtype=np.float64)


FRAME_SCORES: dict[str, dict[str, Callable[[Frames], np.ndarray]]] = {
    # The 2019 code, which printed one SSIM or the other, by version.
    "mim2019": {
        "mse": lambda frames: _summed(np.square(frames.clipped - frames.truth)),
        "mae": lambda frames: _summed(np.abs(frames.prediction - frames.truth)),
        "psnr": lambda frames: errors.psnr(*frames.levels),
        "ssim_uint8": lambda frames: errors.ssim(*frames.levels, 255),
        "ssim_float": lambda frames: errors.ssim(*frames.shown, 2),
        "sharpness": lambda frames: errors.sharpness(frames.levels[1]),
    },
    # OpenSTL, `metrics.py`. It gives no data range for SSIM; scikit-image took 2, from -1 to 1,
    # for floats. Its PSNR was of 8 bits at first, in arithmetic that wraps around, which this one
    # does not; later releases compute it of floats.
    "openstl": {
        "mse": lambda frames: _summed(np.square(frames.prediction - frames.truth)),
        "mae": lambda frames: _summed(np.abs(frames.prediction - frames.truth)),
        "ssim": lambda frames: errors.ssim(*frames.shown, 2),
        "psnr": lambda frames: errors.psnr(*frames.levels),
    },
}
"""Protocol -> score -> values `[B, horizon]`. `mse` and `mae` are sums over H, W, C."""

PROTOCOLS = (*FRAME_SCORES, "per_pixel", *events.EVENT_RULES)
"""Those that are not in `FRAME_SCORES` have `PixelErrors`."""


class FrameScores(ScoreKind):
    """Mean scores per predicted frame, as a protocol defines them.

    The 2019 code left out a last, smaller batch; here every sequence counts the same. A missing
    value counts as one that was predicted exactly: truth and prediction are both set to 0. SSIM is
    None for frames below 7x7, which its window does not fit.

    `mse` and `mae` are of frames as the network has them. PSNR, SSIM and sharpness, which need a
    range, are of frames as pictures show them, from black to white of the scale.
    """

    def __init__(self, protocol: str = "mim2019", scale: LinearScale = UNIT):
        self._functions, self._scale = FRAME_SCORES[protocol], scale

    def addends(self, batch: Batch) -> Values:
        truth, prediction = batch.pair("filled", np.asarray)
        shown = batch.pair("shown", self._scale.shown)
        levels = batch.pair("levels", lambda frames: errors.to_uint8(self._scale.shown(frames)))
        frames = Frames(truth, prediction, self._scale.clip(prediction), shown, levels)
        values = {n: np.asarray(score(frames), np.float64) for n, score in self._functions.items()}
        return values | {"sequences": np.ones(batch.truth.shape[:2])}

    def scores(self, sums: Values) -> Values:
        return {name: sums[name] / sums["sequences"] for name in self._functions}


def scores_for(source: SequenceSource, protocol: str = "mim2019") -> Scores:
    """Return empty scores of all kinds that make sense for `source`."""
    if protocol not in PROTOCOLS:
        raise MimError(f"Expected one of {', '.join(PROTOCOLS)} as --protocol, got {protocol!r}.")
    scale = source.scale or UNIT
    own = protocol in FRAME_SCORES
    kinds: list[ScoreKind] = [FrameScores(protocol, scale) if own else errors.PixelErrors()]
    if source.scale:
        kinds += errors.unit_errors(scale)
        # Predictions are clipped to [0, 1] before they are converted.
        kinds += [errors.PixelErrors(each.unit, each.to_physical) for each in source.converted]
        kinds.append(fields.PowerSpectra())
    if source.latitude is not None:
        kinds.append(fields.field_scores(source))
    if source.thresholds:
        rule = events.EVENT_RULES.get(protocol, events.EventRule())
        arguments = source.threshold_scale or scale, source.thresholds, rule
        kinds.append(events.CategoricalScores(*arguments))
        if rule.balanced and source.threshold_scale:
            kinds.append(events.BalancedErrors(source.threshold_scale))
        if rule.windows:
            kinds.append(events.FractionsSkillScores(*arguments))
    return Scores(*kinds, scale=scale)
