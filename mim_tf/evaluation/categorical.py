"""Scores of whether a threshold is exceeded."""

from collections.abc import Sequence

import numpy as np

from mim_tf.data.conversion import ConvertedScale
from mim_tf.data.scale import LinearScale
from mim_tf.evaluation.accumulated import AccumulatedScores, defined_mean
from mim_tf.evaluation.checks import FRAME_AXES
from mim_tf.evaluation.events import EventRule, event_bounds


class CategoricalScores(AccumulatedScores):
    """CSI, POD, FAR, BIAS and HSS per threshold and predicted frame, over all sequences so far.

    Each frame's hits H, misses M, false alarms F and correct negatives N are counted over all
    pixels of all sequences, and the scores computed from these sums:

    - `CSI_<threshold>`, critical success index: H / (H + M + F)
    - `POD_<threshold>`, probability of detection: H / (H + M)
    - `FAR_<threshold>`, false alarm ratio: F / (H + F)
    - `BIAS_<threshold>`, frequency bias, 1 at best: (H + F) / (H + M)
    - `HSS_<threshold>`, Heidke skill score: 2 (H N - F M) / ((H + M) (M + N) + (H + F) (F + N))
    - `CSI_pool<side>_<threshold>`: CSI of the maxima of squares, for each of the rule's pools;
      rows and columns that do not fill a square are left out
    - with a rule of `mean_of_counts`, `CSI` and `CSI_pool<side>`: means over thresholds

    Where it would be 0 / 0, as without rain in truth and prediction, a score is None (NaN in
    pysteps), and means leave it out. Missing values are not counted.

    Args:
        scale: what 0 and 1 in a frame stand for.
        thresholds: in the unit of `scale`.
        rule: by default a value of exactly the threshold is no event, as in pysteps, and `mean` is
            the mean of the frames' scores, as in the HKO-7 benchmark (Shi et al., 2017).

    Raises `MimError` for thresholds that every value, or none, of the scale exceeds.
    """

    def __init__(
        self,
        scale: LinearScale | ConvertedScale,
        thresholds: Sequence[float],
        rule: EventRule | None = None,
    ):
        rule = rule or EventRule()
        super().__init__(scale, tuple(thresholds), rule)
        self._rule = rule
        self._bounds = event_bounds(scale, thresholds, rule.inclusive)

    def _addends(self, truth, prediction):
        # Clipping predictions would change nothing, for the thresholds lie within the scale.
        known = ~np.isnan(truth)
        addends = {}
        for side in (1, *self._rule.pools):
            known_squares = _any_in_squares(known, side)
            for threshold, bound in self._bounds.items():
                addends[_label(side, threshold)] = _contingency(
                    _any_in_squares(truth > bound, side),
                    _any_in_squares((prediction > bound) & known, side),
                    known_squares,
                )
        return addends

    def _scores(self, sums, sequences):
        found = {}
        for side in (1, *self._rule.pools):
            labels = [_label(side, threshold) for threshold in self._bounds]
            scores = _from_counts(*np.stack([sums[label] for label in labels], axis=1))
            if side > 1:
                scores = {"CSI": scores["CSI"]}
            found |= {
                f"{name}_{label}": score
                for name, of_thresholds in scores.items()
                for label, score in zip(labels, of_thresholds, strict=True)
            }
            if self._rule.mean_of_counts:
                found["CSI" + _pool(side)] = defined_mean(np.moveaxis(scores["CSI"], 0, -1))
        return found

    def _mean(self, sums, sequences):
        if not self._rule.mean_of_counts:
            return super()._mean(sums, sequences)
        totals = {name: values.sum(axis=-1, keepdims=True) for name, values in sums.items()}
        return {name: score[..., 0] for name, score in self._scores(totals, sequences).items()}


def _pool(side):
    return f"_pool{side}" if side > 1 else ""


def _label(side, threshold):
    return f"{_pool(side)}_{threshold}".lstrip("_")


def _any_in_squares(values, side):
    """Whether any of `values` `[..., H, W, C]` is true, in squares that lie side by side."""
    if side == 1:
        return values
    *leading, height, width, channels = values.shape
    rows, columns = height // side, width // side
    squares = values[..., : rows * side, : columns * side, :]
    return squares.reshape(*leading, rows, side, columns, side, channels).any(axis=(-4, -2))


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
    with np.errstate(invalid="ignore", divide="ignore"):
        bias = predicted / observed
        return {
            "CSI": hits / (observed + false_alarms),
            "POD": hits / observed,
            "FAR": false_alarms / predicted,
            "BIAS": np.where(observed == 0, np.nan, bias),
            "HSS": 2 * covariance / (observed * not_predicted + predicted * not_observed),
        }
