"""The fractions skill score, by the package `scores`."""

import operator
from collections.abc import Sequence

import numpy as np

from mim_tf.data.conversion import ConvertedScale
from mim_tf.data.scale import LinearScale
from mim_tf.evaluation.accumulated import AccumulatedScores
from mim_tf.evaluation.events import EventRule, event_bounds
from mim_tf.optional import import_fss_backend


class FractionsSkillScores(AccumulatedScores):
    """`FSS_window<side>_<threshold>`: how well the shares of events in windows agree.

    With the shares f of the prediction and o of the truth in every window of side x side pixels
    that lies within the frame, FSS = 1 - sum (f - o)^2 / (sum f^2 + sum o^2), each sum over all
    windows of all sequences. 1 at best, 0 without any overlap, None without any event and for
    windows that do not fit the frame. pysteps pads frames with zeros; here windows end at the
    border. Where a value is missing, neither truth nor prediction has an event.

    Reference: Roberts and Lean, "Scale-Selective Verification of Rainfall Accumulations from
    High-Resolution Forecasts of Convective Events", 2008.

    Args:
        scale: what 0 and 1 in a frame stand for.
        thresholds: in the unit of `scale`.
        rule: what an event is, and the windows.

    Raises `MimError` if the package `scores` is missing, and for thresholds that every value, or
    none, of the scale exceeds.
    """

    def __init__(
        self, scale: LinearScale | ConvertedScale, thresholds: Sequence[float], rule: EventRule
    ):
        super().__init__(scale, tuple(thresholds), rule)
        self._windows = rule.windows
        self._bounds = event_bounds(scale, thresholds, rule.inclusive)
        self._backend = import_fss_backend()

    def _addends(self, truth, prediction):
        known = ~np.isnan(truth)
        return {
            f"window{side}_{threshold}": self._powers(
                (truth > bound) & known, (prediction > bound) & known, side
            )
            for side in self._windows
            for threshold, bound in self._bounds.items()
        }

    def _scores(self, sums, sequences):
        with np.errstate(invalid="ignore"):
            return {
                f"FSS_{label}": 1 - difference / (predicted + observed)
                for label, (predicted, observed, difference) in sums.items()
            }

    def _powers(self, observed, predicted, side):
        """Means of f^2, o^2 and (f - o)^2 over windows, `[3, B, horizon]`, up to a factor."""
        batch, horizon, height, width, channels = observed.shape
        powers = np.zeros((batch, horizon, channels, 3))
        if side > min(height, width):
            return powers.sum(axis=2).transpose(2, 0, 1)
        for place in np.ndindex(batch, horizon, channels):
            n, t, channel = place
            truth, forecast = observed[n, t, ..., channel], predicted[n, t, ..., channel]
            if truth.any() or forecast.any():
                # Not the public functions: their scores cannot be added up over batches.
                powers[place] = (
                    self._backend(forecast, truth, 0.5, _Above, (side, side), zero_padding=False)
                    .compute_fss_decomposed()
                    .tolist()
                )
        return powers.sum(axis=2).transpose(2, 0, 1)


class _Above:
    """The comparison, as `scores` wants it."""

    @staticmethod
    def get():
        return operator.gt
