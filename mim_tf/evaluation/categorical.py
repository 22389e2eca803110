"""Scores of whether a threshold is exceeded."""

import numpy as np

from mim_tf.data.scale import LinearScale
from mim_tf.errors import MimError
from mim_tf.evaluation.pair import as_json, check_pair
from mim_tf.evaluation.physical import POOLED_AXES

# Far above the rounding of a float32 in [0, 1], far below the step of 8- or 16-bit levels.
ROUNDING = 1e-6


class CategoricalScores:
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

    def __init__(self, scale: LinearScale, thresholds):
        scale.check_thresholds(thresholds)
        self.sequences = 0
        self._thresholds = [float(threshold) for threshold in thresholds]
        # Frames are compared in [0, 1], not mapped back: a truth of exactly the threshold has come
        # the same way. ROUNDING is for one that has not: levels, or data scaled elsewhere.
        self._bounds = scale.to_unit(self._thresholds) + np.float32(ROUNDING)
        self._counts = None

    def update(self, truth, prediction):
        """Adds a batch.

        Args:
            truth: `[B, horizon, H, W, C]`, floats in [0, 1]; NaN where a value is missing.
            prediction: the same shape. Clipping it would change nothing, for the thresholds lie
                within the scale.

        Raises:
            MimError: see `check_pair`.
        """
        horizon = None if self._counts is None else self._counts.shape[2]
        truth, prediction = check_pair(truth, prediction, horizon, self.sequences)
        known = ~np.isnan(truth)
        counts = np.array(
            [_contingency(truth > bound, prediction > bound, known) for bound in self._bounds]
        )
        self._counts = counts if self._counts is None else self._counts + counts
        self.sequences += len(truth)

    def result(self):
        """Scores so far, as JSON types, laid out as those of `FrameScores.result`.

        Raises:
            MimError: there are no sequences.
        """
        if not self.sequences:
            raise MimError("Scores need at least one sequence, received none. Call update first.")
        tables = [_scores(*counts) for counts in self._counts.astype(np.float64)]
        per_frame = {
            f"{name}_{np.format_float_positional(threshold, trim='-')}": as_json(table[name])
            for name in tables[0]
            for threshold, table in zip(self._thresholds, tables, strict=True)
        }
        return {
            "sequences": self.sequences,
            "mean": {name: _mean(scores) for name, scores in per_frame.items()},
            "per_frame": per_frame,
        }


def _contingency(observed, predicted, known):
    """H, M, F and N of each lead time, `[4, horizon]`."""
    cells = (
        observed & predicted,
        observed & ~predicted,
        ~observed & predicted,
        ~observed & ~predicted,
    )
    return [(cell & known).sum(axis=POOLED_AXES) for cell in cells]


def _scores(hits, misses, false_alarms, correct_negatives):
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


def _mean(scores):
    defined = [score for score in scores if score is not None]
    return sum(defined) / len(defined) if defined else None
