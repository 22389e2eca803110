"""Scores over all sequences of an evaluation, and how far they would move with others.

Each kind of score says what one sequence adds to sums (`addends`), and what sums make (`scores`).
`Scores` checks batches and keeps the addends of every sequence, a few numbers a frame. The same
formula then gives the score of all sequences, of each one, and of every bootstrap resample.
"""

import abc
import copy
import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from mim_tf.errors import MimError
from mim_tf.values.scale import UNIT, ConvertedScale, LinearScale

FRAME_AXES = (-3, -2, -1)

Values = dict[str, np.ndarray]


class Batch:
    """Truth, NaN where missing, and prediction `[B, horizon, H, W, C]`, float32, once checked.

    What follows from the truth alone is computed once for the model and all baselines. `known` says
    where the truth is not missing.
    """

    def __init__(self, truth: np.ndarray, prediction: np.ndarray):
        self.truth, self.prediction = truth, prediction
        self.known = ~np.isnan(truth)
        self._shared: dict = {}
        self._own: dict = {}

    def with_prediction(self, prediction: np.ndarray) -> "Batch":
        """Return the same truth with another prediction."""
        batch = copy.copy(self)
        batch.prediction, batch._own = np.asarray(prediction, np.float32), {}
        return batch

    def pair(
        self, key: str, function: Callable[[np.ndarray], np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return `function` of truth and prediction, both 0 where missing; computed once a key."""

        for cache, frames in ((self._shared, self.truth), (self._own, self.prediction)):
            if key not in cache:
                cache[key] = function(np.where(self.known, frames, 0))
        return self._shared[key], self._own[key]


class ScoreKind(abc.ABC):
    """One kind of score, made of sums over sequences."""

    pools_frames = False
    """Whether a mean is the score of all frames' sums together, not the mean of their scores."""

    @abc.abstractmethod
    def addends(self, batch: Batch) -> Values:
        """Return by name what each sequence adds to each frame's sum, float64 `[..., B, horizon]`.

        The value of a sequence does not depend on the others in its batch.
        """

    @abc.abstractmethod
    def scores(self, sums: Values) -> Values:
        """Return by name the scores `[..., horizon]` that sums make; NaN if undefined.

        Sums are as addends, with any axis, or none, instead of B.
        """

    def mean(self, sums: Values) -> Values:
        """Return by name the mean `[...]` over frames; NaN if it is not defined for any."""
        if self.pools_frames:
            return self.scores({name: values.sum(axis=-1) for name, values in sums.items()})
        return {name: defined_mean(scores) for name, scores in self.scores(sums).items()}

    def details(self, addends: Values) -> dict:
        """Return what an evaluation stores beside scores, as JSON types."""
        return {}


class Scores:
    """Scores of several kinds over all sequences given to `update`.

    Results do not depend on how sequences are divided into batches. A truth has to be in [0, 1]
    if `scale` is clipped.
    """

    def __init__(self, *kinds: ScoreKind, scale: LinearScale | ConvertedScale = UNIT):
        self.kinds = kinds
        self.sequences = 0
        self._clipped = scale.clipped
        self._parts: list[list[Values]] = [[] for _ in kinds]

    def update(self, truth: ArrayLike, prediction: ArrayLike) -> Batch:
        """Check and add a batch `[B, horizon, H, W, C]`, and return it.

        Values that are missing in the truth are NaN; the prediction is finite and not clipped.
        """
        truth, prediction = np.asarray(truth, np.float32), np.asarray(prediction, np.float32)
        if truth.ndim != 5 or truth.shape != prediction.shape:
            raise MimError(
                "Expected truth and prediction of one shape [B, horizon, H, W, C], got "
                f"{truth.shape} and {prediction.shape}. Give predicted frames without the context."
            )
        if self._clipped and ((truth < 0) | (truth > 1)).any():
            raise MimError(
                f"Expected a truth in [0, 1], got {np.nanmin(truth)} to {np.nanmax(truth)}. Give "
                "frames, not levels or physical values."
            )
        finite = np.isfinite(prediction).all(axis=FRAME_AXES)
        if not finite.all():
            sequence, frame = np.argwhere(~finite)[0]
            raise MimError(
                f"Expected finite predictions, got NaN or infinity in predicted frame {frame + 1} "
                f"of {truth.shape[1]} (sequence {self.sequences + sequence + 1}). If weights "
                "diverged, use an earlier snapshot, or train with a lower --lr."
            )
        batch = Batch(truth, prediction)
        self.add(batch)
        return batch

    def add(self, batch: Batch) -> None:
        """Add a batch that other scores have checked."""
        self.sequences += len(batch.truth)
        for kind, parts in zip(self.kinds, self._parts, strict=True):
            parts.append(kind.addends(batch))

    def result(self) -> dict:
        """Return the scores so far, as JSON types, with None where they are not defined:

        `{"sequences": int, "mean": {score: float}, "per_frame": {score: [horizon floats]}}`.
        """
        sums = [{name: v.sum(axis=-2) for name, v in addends.items()} for addends in self._all()]
        per_frame = self._of_kinds("scores", sums)
        return {
            "sequences": self.sequences,
            "mean": {name: as_json(score) for name, score in self._of_kinds("mean", sums).items()},
            "per_frame": {name: list(map(as_json, scores)) for name, scores in per_frame.items()},
        }

    def per_sequence(self) -> Values:
        """Return the mean scores of each sequence alone `[sequences]`; NaN if undefined."""
        return self._of_kinds("mean", self._all())

    def details(self) -> dict:
        """Return what an evaluation stores beside scores, as JSON types."""
        return self._of_kinds("details", self._all())

    def resampled(self, groups: ArrayLike | None = None) -> Values:
        """Return each mean score of 2,000 bootstrap resamples, `[2000]`; NaN where undefined.

        The same groups are drawn for every model, so that differences are paired. `groups` has an
        integer for each sequence, equal where sequences are not independent, such as windows of
        one recording. Groups are resampled whole; by default each sequence is its own.
        """
        groups = np.arange(self.sequences) if groups is None else np.asarray(groups)
        # The sums over a group are all that its resampling needs.
        order = np.argsort(groups, kind="stable")
        starts = np.unique(groups[order], return_index=True)[1]
        sums = [
            {name: np.add.reduceat(v[..., order, :], starts, axis=-2) for name, v in each.items()}
            for each in self._all()
        ]
        parts = [
            self._of_kinds("mean", [{n: counts @ v for n, v in each.items()} for each in sums])
            for counts in resampling_counts(len(starts))
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def intervals(self, groups: ArrayLike | None = None) -> dict[str, list[float] | None]:
        """Return the 95 % interval `[low, high]` of each mean score; arguments as `resampled`."""
        groups = np.arange(self.sequences) if groups is None else np.asarray(groups)
        means, resamples = self.result()["mean"], self.resampled(groups)
        return intervals(means, resamples, groups, self.per_sequence())

    def _all(self) -> list[Values]:
        if not self.sequences:
            raise MimError("Expected at least one sequence to score, got none.")
        return [
            {name: np.concatenate([part[name] for part in parts], axis=-2) for name in parts[0]}
            for parts in self._parts
        ]

    def _of_kinds(self, method, values):
        results: dict = {}
        for kind, each in zip(self.kinds, values, strict=True):
            results |= getattr(kind, method)(each)
        return results


def as_json(score: float) -> float | None:
    """Return None for NaN, else the score as a Python float."""
    return None if math.isnan(score) else float(score)


def defined_mean(scores: np.ndarray) -> np.ndarray:
    """Return the mean over the last axis without NaN; NaN where all are."""
    defined = ~np.isnan(scores)
    with np.errstate(invalid="ignore"):
        return np.where(defined, scores, 0).sum(axis=-1) / defined.sum(axis=-1)


# The bootstrap (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, section 13.3).

RESAMPLES = 2000
LEVEL, SEED = 0.95, 0
FEW = 10
"""Groups below which intervals are rough, and not made of the percentiles of resampled means."""
LARGEST_PART = 2_000_000
"""Counts in memory at a time: 16 MB."""


def resampling_counts(size: int) -> Iterator[np.ndarray]:
    """Yield how often each of `size` groups is in each of 2,000 resamples, in parts `[R, size]`."""
    generator = np.random.default_rng(SEED)
    rows = max(1, LARGEST_PART // size)
    for first in range(0, RESAMPLES, rows):
        count = min(rows, RESAMPLES - first)
        drawn = generator.integers(size, size=(count, size)) + np.arange(count)[:, None] * size
        yield np.bincount(drawn.ravel(), minlength=count * size).reshape(count, size).astype(float)


def groups_with(groups: np.ndarray, scores: np.ndarray) -> int:
    """Return of how many groups any sequence has a score that is defined."""
    return len(np.unique(groups[~np.isnan(scores)]))


def intervals(
    means: dict[str, float | None], resamples: Values, groups: np.ndarray, per_sequence: Values
) -> dict[str, list[float] | None]:
    """Return the `interval` of each mean score from its resamples."""
    return {
        name: interval(values, groups_with(groups, per_sequence[name]), means[name])
        for name, values in resamples.items()
    }


def interval(means: np.ndarray, size: int, score: float | None) -> list[float] | None:
    """Return `[low, high]`, the 95 % interval of a `score` of `size` groups by its resamples.

    The middle 95 % of resampled means are too narrow for few groups: their variance lacks a factor
    (size - 1) / size, and their tails are not those of Student's t. Both are made up for in the
    level (Hesterberg, "What Teachers Should Know about the Bootstrap", 2015, section 4.2). For
    fewer than `FEW` groups no level is enough, because no resampled mean leaves the range of the
    groups. They get the interval of Student's t with the deviation of the resampled means.
    Means are NaN where undefined. There is no interval of fewer than two groups, nor of a score
    that is undefined (None).
    """
    means = means[~np.isnan(means)]
    if not means.size or size < 2 or score is None:
        return None
    deviations = widening(size) * stats.norm.ppf([(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    if size < FEW:
        return (score + deviations * means.std()).tolist()
    return np.quantile(means, stats.norm.cdf(deviations)).tolist()


def widening(size: int) -> float:
    """Return how much wider an interval of so many groups is than that of a normal deviate."""
    if size < 2:
        return 1.0
    tail = (1 + LEVEL) / 2
    return float(np.sqrt(size / (size - 1)) * stats.t.ppf(tail, size - 1) / stats.norm.ppf(tail))


def mean_interval(values: np.ndarray) -> list[float] | None:
    """Return the 95 % interval of the mean of independent `values` `[N]`; None for N below two."""
    if len(values) < 2:
        return None
    means = np.concatenate([counts @ values for counts in resampling_counts(len(values))])
    return interval(means / len(values), len(values), float(np.mean(values)))
