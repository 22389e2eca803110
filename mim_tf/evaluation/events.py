"""What an event is, and how its scores are averaged."""

import dataclasses
import operator
from collections.abc import Sequence

import numpy as np

from mim_tf.errors import MimError
from mim_tf.evaluation.statistics import FRAME_AXES, AccumulatedScores, defined_mean
from mim_tf.runtime.optional import import_fss_backend
from mim_tf.values.scale import ConvertedScale, LinearScale

# Far above the rounding of a float32 in [0, 1], far below the step of 8- or 16-bit levels.
ROUNDING = 1e-6


@dataclasses.dataclass(frozen=True)
class EventRule:
    """What an event is, and how its scores are averaged.

    Attributes:
        inclusive: whether a value of exactly the threshold is an event.
        mean_of_counts: whether a score's mean is that of all frames' counts together, and there is
            a mean over thresholds; otherwise the mean is that of the frames' scores.
        pools: sides in pixels of the squares whose maximum is scored too, by CSI.
        balanced: whether there are errors in which heavy rain counts more, of rain rates.
        windows: sides in pixels of the windows of the fractions skill score.
    """

    inclusive: bool = False
    mean_of_counts: bool = False
    pools: tuple[int, ...] = ()
    balanced: bool = False
    windows: tuple[int, ...] = ()


EVENT_RULES = {
    # Shi et al., 2017: `>=`, and the mean of the frames' scores.
    "hko7": EventRule(inclusive=True, balanced=True),
    # Veillette et al., 2020, and the pooled CSI of later papers on SEVIR.
    "sevir": EventRule(inclusive=True, mean_of_counts=True, pools=(4, 16)),
    # Pulkkinen et al., 2019.
    "pysteps": EventRule(windows=(4, 16)),
}
"""Protocol -> rule; every other protocol has `EventRule()`."""


def event_bounds(
    scale: LinearScale | ConvertedScale, thresholds: Sequence[float], inclusive: bool
) -> dict[str, np.float32]:
    """Threshold as text -> the value in a frame above which there is an event.

    Args:
        scale: what values in a frame stand for.
        thresholds: in the unit of `scale`.
        inclusive: whether a value of exactly the threshold is an event.

    Raises:
        MimError: for thresholds that every value, or none, of the scale exceeds.
    """
    scale.check_thresholds(thresholds)
    bounds = scale.to_unit(thresholds)
    if inclusive and scale.clipped and min(bounds) <= 0:
        raise MimError(
            f"Expected thresholds above {min(thresholds):g} {scale.unit}, which every value of the "
            "frames reaches, for events are values of at least the threshold. Leave it out."
        )
    # Frames are compared in [0, 1], not mapped back: a truth of exactly the threshold has come
    # the same way. ROUNDING is for one that has not: levels, or data scaled elsewhere.
    rounding = np.float32(-ROUNDING if inclusive else ROUNDING)
    return {
        np.format_float_positional(threshold, trim="-"): bound + rounding
        for threshold, bound in zip(thresholds, bounds, strict=True)
    }


# MERGED: Scores of whether a threshold is exceeded.


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
        self.scale = scale
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


# MERGED: The balanced errors of the HKO-7 benchmark, in which heavy rain counts more.


RATES = (2, 5, 10, 30)
"""Rain rates in mm/h from which the next weight counts."""

WEIGHTS = np.array([1, 2, 5, 10, 30], np.float32)


class BalancedErrors(AccumulatedScores):
    """`B-MSE` and `B-MAE`: sums over a frame's pixels of errors in [0, 1], weighted by the truth.

    The weight of a pixel is 1 below 2 mm/h of true rain, then 2, from 5 mm/h on 5, from 10 on 10
    and from 30 on 30; 0 where the truth is missing. Predictions are not clipped.

    Reference: Shi et al., "Deep Learning for Precipitation Nowcasting: A Benchmark and A New
    Model", 2017, section 3.2.

    Args:
        rain: rain rates in mm/h of the frames.
    """

    def __init__(self, rain: ConvertedScale):
        super().__init__(rain)
        self._bounds = rain.to_unit(np.array(RATES))

    def _addends(self, truth, prediction):
        known = ~np.isnan(truth)
        steps = np.searchsorted(self._bounds, np.where(known, truth, 0), side="right")
        weights = np.where(known, WEIGHTS[steps], 0)
        error = np.where(known, np.subtract(prediction, truth, dtype=np.float64), 0)
        return {
            "B-MSE": (weights * error**2).sum(axis=FRAME_AXES),
            "B-MAE": (weights * np.abs(error)).sum(axis=FRAME_AXES),
        }

    def _scores(self, sums, sequences):
        return {name: values / sequences for name, values in sums.items()}


# MERGED: The fractions skill score, by the package `scores`.


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
        self.scale = scale
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
