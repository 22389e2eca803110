"""Scores of whether a threshold is exceeded."""

from collections.abc import Sequence

import numpy as np

from mim_tf.data.scale import LinearScale
from mim_tf.evaluation.accumulated import AccumulatedScores
from mim_tf.evaluation.checks import FRAME_AXES

# Far above the rounding of a float32 in [0, 1], far below the step of 8- or 16-bit levels.
ROUNDING = 1e-6


class CategoricalScores(AccumulatedScores):
    """CSI, POD, FAR and HSS per threshold and predicted frame, over all sequences so far.

    A value above the threshold is an event; one of exactly the threshold is none, as in pysteps.
    Each frame's hits H, misses M, false alarms F and correct negatives N are counted over all
    pixels of all sequences, and the scores computed from these sums:

    - `CSI_<threshold>`, critical success index: H / (H + M + F)
    - `POD_<threshold>`, probability of detection: H / (H + M)
    - `FAR_<threshold>`, false alarm ratio: F / (H + F)
    - `HSS_<threshold>`, Heidke skill score: 2 (H N - F M) / ((H + M) (M + N) + (H + F) (F + N))

    Where it would be 0 / 0, as without rain in truth and prediction, a score is None (NaN in
    pysteps). `mean` is the mean of the frames' scores, as in the HKO-7 benchmark (Shi et al.,
    2017), not the score of all frames' counts; frames where the score is None are left out of it.
    Missing values are not counted.

    Args:
        scale: what 0 and 1 in a frame stand for.
        thresholds: in the unit of `scale`.

    Raises `MimError` for thresholds that every value, or none, of the scale exceeds.
    """

    def __init__(self, scale: LinearScale, thresholds: Sequence[float]):
        super().__init__(scale, tuple(thresholds))
        scale.check_thresholds(thresholds)
        # Frames are compared in [0, 1], not mapped back: a truth of exactly the threshold has come
        # the same way. ROUNDING is for one that has not: levels, or data scaled elsewhere.
        self._bounds = {
            np.format_float_positional(threshold, trim="-"): bound + np.float32(ROUNDING)
            for threshold, bound in zip(thresholds, scale.to_unit(thresholds), strict=True)
        }

    def _addends(self, truth, prediction):
        # Clipping predictions would change nothing, for the thresholds lie within the scale.
        known = ~np.isnan(truth)
        return {
            threshold: _contingency(truth > bound, prediction > bound, known)
            for threshold, bound in self._bounds.items()
        }

    def _scores(self, sums, sequences):
        scores = _from_counts(*np.stack(list(sums.values()), axis=1))
        return {
            f"{name}_{threshold}": score
            for name, of_thresholds in scores.items()
            for threshold, score in zip(sums, of_thresholds, strict=True)
        }


def _contingency(observed, predicted, known):
    """H, M, F and N of each frame, `[4, B, horizon]`."""
    cells = (
        observed & predicted,
        observed & ~predicted,
        ~observed & predicted,
        ~observed & ~predicted,
    )
    return np.stack([(cell & known).sum(axis=FRAME_AXES, dtype=np.float64) for cell in cells])


def _from_counts(hits, misses, false_alarms, correct_negatives):
    observed, predicted = hits + misses, hits + false_alarms
    not_observed, not_predicted = false_alarms + correct_negatives, misses + correct_negatives
    covariance = hits * correct_negatives - false_alarms * misses
    with np.errstate(invalid="ignore"):
        return {
            "CSI": hits / (observed + false_alarms),
            "POD": hits / observed,
            "FAR": false_alarms / predicted,
            "HSS": 2 * covariance / (observed * not_predicted + predicted * not_observed),
        }
