"""Scores of events: whether a value exceeds a threshold, at a pixel, in a square or in a window."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mim_tf.errors import MimError
from mim_tf.evaluation.statistics import FRAME_AXES, Batch, ScoreKind, Values, defined_mean
from mim_tf.values.scale import ConvertedScale, LinearScale

ROUNDING = 1e-6
"""Far above the rounding of a float32 in [0, 1], far below the step of 8- or 16-bit levels."""

_ROUNDING_OF_VALUES = 2.5e-7
"""The same as a share of the threshold on a scale that is not clipped: two steps of float32."""


class EventRule(NamedTuple):
    """Definition of an event, and of the mean of its scores."""

    inclusive: bool = False  # whether a value of exactly the threshold is an event
    # Whether a score's mean is made of all frames' counts together, and there is a mean over
    # thresholds; otherwise the mean is over the frames' scores.
    mean_of_counts: bool = False
    pools: tuple[int, ...] = ()  # sides of the squares whose maximum is scored too, by CSI
    balanced: bool = False  # whether there are errors in which heavy rain counts more
    windows: tuple[int, ...] = ()  # sides of the windows of the fractions skill score


EVENT_RULES = {
    # Shi et al., 2017: `>=`, and the mean of the frames' scores.
    "hko7": EventRule(inclusive=True, balanced=True),
    # Veillette et al., 2020, and the pooled CSI of later papers on SEVIR.
    "sevir": EventRule(inclusive=True, mean_of_counts=True, pools=(4, 16)),
    # Pulkkinen et al., 2019.
    "pysteps": EventRule(windows=(4, 16)),
}
"""Protocol -> rule; every other protocol has `EventRule()`."""


def are_comparable(protocol: str, score: str, methods: Sequence[dict]) -> bool:
    """Return whether the means of a score of several methods are over the same parts.

    A score may be undefined for one method alone, such as FAR at lead times for which it predicts
    no event. Means leave these out, so that they are of other lead times, or of other thresholds.
    `methods` have `mean` and `per_frame`, as `Scores.result` makes them.
    """
    pools_frames = EVENT_RULES.get(protocol, EventRule()).mean_of_counts
    defined = set()
    for method in (each for each in methods if each["mean"][score] is not None):
        parts = method.get("per_frame", {}).get(score, ())
        if pools_frames:
            parts = [mean for name, mean in method["mean"].items() if name.startswith(f"{score}_")]
        defined.add(tuple(part is not None for part in parts))
    return len(defined) < 2


class _EventScores(ScoreKind):
    """Scores of events, with the value in a frame above which there is one.

    `thresholds` are in the unit of `scale`. By default a value of exactly the threshold is no
    event, as in pysteps, and `mean` is the mean of the frames' scores, as in the HKO-7 benchmark
    (Shi et al., 2017). Raises `MimError` for thresholds that every value, or none, exceeds.
    """

    def __init__(
        self,
        scale: LinearScale | ConvertedScale,
        thresholds: Sequence[float],
        rule: EventRule | None = None,
    ):
        self._rule = rule = rule or EventRule()
        self.pools_frames = rule.mean_of_counts
        scale.check_thresholds(thresholds)
        bounds = scale.to_unit(np.asarray(thresholds))
        if rule.inclusive and scale.clipped and min(bounds) <= 0:
            raise MimError(
                f"Expected --thresholds above {min(thresholds):g} {scale.unit}, which every value "
                "of the frames reaches: here a value of exactly the threshold is an event."
            )
        # Frames are compared in [0, 1], not mapped back: a truth of exactly the threshold has come
        # the same way. ROUNDING is for other ways: levels, or data scaled elsewhere.
        rounding = np.full_like(bounds, ROUNDING)
        if not scale.clipped:  # frames may be values as they are, such as 1e-5 kg m-2 s-1
            size = np.abs(scale.to_unit(2 * np.asarray(thresholds)) - bounds) + np.float32(1e-30)
            rounding = np.maximum(np.abs(bounds), size) * np.float32(_ROUNDING_OF_VALUES)
        bounds += -rounding if rule.inclusive else rounding
        self._bounds = {
            np.format_float_positional(threshold, trim="-"): bound
            for threshold, bound in zip(thresholds, bounds, strict=True)
        }

    def _events(self, batch, bound):
        """Return where truth and prediction have events, neither where the truth is missing."""
        # Clipping predictions would change nothing, because thresholds lie within the scale.
        observed, predicted = batch.truth > bound, (batch.prediction > bound) & batch.known
        return observed, predicted


class CategoricalScores(_EventScores):
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
    """

    def addends(self, batch: Batch) -> Values:
        addends: Values = {}
        sides = (1, *self._rule.pools)
        totals = {side: _count(_any_in_squares(batch.known, side)) for side in sides}
        for threshold, bound in self._bounds.items():
            events = self._events(batch, bound)
            for side in sides:
                observed, predicted = (_any_in_squares(each, side) for each in events)
                hits, one, other = map(_count, (observed & predicted, observed, predicted))
                negatives = totals[side] - one - other + hits
                counts = np.stack([hits, one - hits, other - hits, negatives])
                addends[_label(side, threshold)] = counts
        return addends

    def scores(self, sums: Values) -> Values:
        found: Values = {}
        for side in (1, *self._rule.pools):
            labels = [_label(side, threshold) for threshold in self._bounds]
            scores = _from_counts(*np.stack([sums[label] for label in labels], axis=1))
            names = ["CSI"] if side > 1 else scores
            found |= {
                f"{name}_{label}": score
                for name in names
                for label, score in zip(labels, scores[name], strict=True)
            }
            if self._rule.mean_of_counts:
                name = f"CSI_pool{side}" if side > 1 else "CSI"
                found[name] = defined_mean(np.moveaxis(scores["CSI"], 0, -1))
        return found


def _label(side, threshold):
    return f"pool{side}_{threshold}" if side > 1 else threshold


def _count(values):
    return np.count_nonzero(values, axis=FRAME_AXES).astype(np.float64)


def _any_in_squares(values, side):
    """Return whether any of `values` `[..., H, W, C]` is true, in squares that lie side by side."""
    if side == 1:
        return values
    *leading, height, width, channels = values.shape
    rows, columns = height // side, width // side
    squares = values[..., : rows * side, : columns * side, :]
    return squares.reshape(*leading, rows, side, columns, side, channels).any(axis=(-4, -2))


def _from_counts(hits, misses, false_alarms, correct_negatives):
    observed, predicted = hits + misses, hits + false_alarms
    not_observed, not_predicted = false_alarms + correct_negatives, misses + correct_negatives
    covariance = hits * correct_negatives - false_alarms * misses
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "CSI": hits / (observed + false_alarms),
            "POD": hits / observed,
            "FAR": false_alarms / predicted,
            "BIAS": np.where(observed == 0, np.nan, predicted / observed),
            "HSS": 2 * covariance / (observed * not_predicted + predicted * not_observed),
        }


class FractionsSkillScores(_EventScores):
    """`FSS_window<side>_<threshold>`: how well the shares of events in windows agree.

    With the shares f of the prediction and o of the truth in every window of side x side pixels
    that lies within the frame, FSS = 1 - sum (f - o)^2 / (sum f^2 + sum o^2), each sum over all
    windows of all sequences. 1 at best, 0 without any overlap, None without any event and for
    windows that do not fit the frame. pysteps pads frames with zeros; here windows end at the
    border. Where a value is missing, neither truth nor prediction has an event.

    Reference: Roberts and Lean, "Scale-Selective Verification of Rainfall Accumulations", 2008.
    """

    def addends(self, batch: Batch) -> Values:
        tables = {
            threshold: [_summed(events) for events in self._events(batch, bound)]
            for threshold, bound in self._bounds.items()
        }
        addends = {}
        for side in self._rule.windows:
            for threshold, pair in tables.items():
                observed, predicted = (_in_windows(table, side) for table in pair)
                parts = (predicted, observed, predicted - observed)
                powers = [np.square(part).sum(axis=FRAME_AXES, dtype=np.float64) for part in parts]
                addends[f"window{side}_{threshold}"] = np.stack(powers)
        return addends

    def scores(self, sums: Values) -> Values:
        with np.errstate(invalid="ignore"):
            return {
                f"FSS_{label}": 1 - difference / (predicted + observed)
                for label, (predicted, observed, difference) in sums.items()
            }


def _summed(events):
    """Count the events above and to the left of each corner of a pixel: a summed-area table."""
    padded = np.pad(events, ((0, 0), (0, 0), (1, 0), (1, 0), (0, 0)))
    return padded.cumsum(axis=2, dtype=np.int32).cumsum(axis=3, dtype=np.int32)


def _in_windows(summed, side):
    """Count the events in each window: counts do instead of shares, because FSS is a ratio."""
    top, bottom = summed[:, :, :-side], summed[:, :, side:]
    return (bottom - top)[..., side:, :] - (bottom - top)[..., :-side, :]


class BalancedErrors(ScoreKind):
    """`B-MSE` and `B-MAE`: sums over a frame's pixels of errors in [0, 1], weighted by the truth.

    The weight of a pixel is 1 below 2 mm/h of true rain, then 2, from 5 mm/h on 5, from 10 on 10
    and from 30 on 30; 0 where the truth is missing. Predictions are not clipped.

    Reference: Shi et al., "Deep Learning for Precipitation Nowcasting", 2017, section 3.2.
    """

    RATES = np.array([2, 5, 10, 30])
    WEIGHTS = np.array([1, 2, 5, 10, 30], np.float32)

    def __init__(self, rain: ConvertedScale):  # in mm/h
        self._bounds = rain.to_unit(self.RATES)

    def addends(self, batch: Batch) -> Values:
        truth, prediction = batch.pair("filled", np.asarray)
        steps = np.searchsorted(self._bounds, truth, side="right")
        weights = np.where(batch.known, self.WEIGHTS[steps], 0)
        error = np.subtract(prediction, truth, dtype=np.float64)
        return {
            "B-MSE": (weights * error**2).sum(axis=FRAME_AXES),
            "B-MAE": (weights * np.abs(error)).sum(axis=FRAME_AXES),
            "sequences": np.ones(truth.shape[:2]),
        }

    def scores(self, sums: Values) -> Values:
        return {name: sums[name] / sums["sequences"] for name in ("B-MSE", "B-MAE")}
