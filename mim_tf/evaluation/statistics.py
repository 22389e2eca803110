"""Checks of a batch, for scores of every kind."""

import abc
import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from mim_tf.errors import MimError
from mim_tf.values.scale import UNIT, ConvertedScale, LinearScale

FRAME_AXES = (-3, -2, -1)


def check_batch(
    truth: ArrayLike,
    prediction: ArrayLike,
    horizon: int | None,
    sequences: int,
    in_unit: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """Truth and prediction `[B, horizon, H, W, C]` as float32 arrays.

    Args:
        truth: floats; NaN where a value is missing.
        prediction: of the same shape, finite.
        horizon: frames of earlier batches, None for the first batch.
        sequences: number of sequences in earlier batches, which messages count on from.
        in_unit: whether the truth has to be in [0, 1].

    Raises `MimError` for anything else.
    """
    truth, prediction = np.asarray(truth, np.float32), np.asarray(prediction, np.float32)
    if truth.ndim != 5 or truth.shape != prediction.shape:
        raise MimError(
            "Scores need truth and prediction of one shape [B, horizon, H, W, C], received "
            f"{truth.shape} and {prediction.shape}. Give the predicted frames only, not the "
            "context."
        )
    if horizon not in (None, truth.shape[1]):
        raise MimError(
            f"Scores need the same horizon in every batch: {horizon} frames so far, received "
            f"{truth.shape[1]}. Use new scores for another horizon."
        )
    if in_unit and ((truth < 0) | (truth > 1)).any():
        raise MimError(
            f"Scores need a truth in [0, 1], received {np.nanmin(truth)} to {np.nanmax(truth)}. "
            "Give frames, not levels or physical values."
        )
    finite = np.isfinite(prediction).all(axis=FRAME_AXES)
    if not finite.all():
        sequence, frame = np.argwhere(~finite)[0]
        raise MimError(
            f"Scores need finite predictions, received NaN or infinity in predicted frame "
            f"{frame + 1} of {truth.shape[1]} (sequence {sequences + sequence + 1}): the weights "
            "diverged. Use an earlier checkpoint, or train with a lower learning rate."
        )
    return truth, prediction


# MERGED: What scores of all kinds have in common: values of each sequence, gathered and merged.


Values = dict[str, np.ndarray]


class AccumulatedScores(abc.ABC):
    """Scores per predicted frame over all sequences given to `update` or merged.

    Each kind of score says in `_addends` what a sequence adds to the sums, and in `_scores` what
    the sums make. The addends of every sequence are kept (a few numbers a frame), which gives
    intervals and scores of single sequences. Results do not depend on how batches were cut; parts
    merged in another order give the same up to rounding.

    Args:
        *settings: what else than the class decides what is scored; `merge` compares them.

    Attributes:
        scale: what the numbers in frames stand for; decides whether they have to be in [0, 1].
    """

    scale: LinearScale | ConvertedScale = UNIT

    def __init__(self, *settings):
        self.sequences = 0
        self._settings = settings
        self._horizon: int | None = None
        self._parts: list[Values] = []

    def update(self, truth: ArrayLike, prediction: ArrayLike) -> None:
        """Adds a batch.

        Args:
            truth: `[B, horizon, H, W, C]`, floats, in [0, 1] where the scale is clipped; NaN
                where a value is missing.
            prediction: the same shape, not clipped.

        Raises:
            MimError: shapes or horizons do not match, the truth leaves [0, 1] where the scale is
                clipped, or a prediction is not finite.
        """
        truth, prediction = check_batch(
            truth, prediction, self._horizon, self.sequences, self.scale.clipped
        )
        self._parts.append(self._addends(truth, prediction))
        self._horizon = truth.shape[1]
        self.sequences += len(truth)

    def merge(self, other: "AccumulatedScores") -> None:
        """Adds the sequences of `other`, which stays as it is.

        Raises:
            MimError: for scores of another kind, with other settings or another horizon.
        """
        ours, theirs = ((type(part), part._settings) for part in (self, other))
        horizons = {self._horizon, other._horizon} - {None}
        if ours != theirs or len(horizons) > 1:
            raise MimError(
                "Scores can be merged with those of the same kind, settings and horizon, received "
                f"{type(other).__name__}{other._settings} of {other._horizon} frames for "
                f"{type(self).__name__}{self._settings} of {self._horizon}."
            )
        self._parts += other._parts
        self._horizon = self._horizon or other._horizon
        self.sequences += other.sequences

    def result(self) -> dict:
        """Scores so far, as JSON types.

        Returns:
            `{"sequences": int, "mean": {score: float}, "per_frame": {score: [horizon floats]}}`,
            with None for a score that is not defined. Unless a kind of score says otherwise, the
            mean is that of the frames' scores, without those that are None.

        Raises:
            MimError: there are no sequences.
        """
        sums = {name: addends.sum(axis=-2) for name, addends in self._all().items()}
        per_frame = self._scores(sums, self.sequences)
        return {
            "sequences": self.sequences,
            "mean": {
                name: as_json(score) for name, score in self._mean(sums, self.sequences).items()
            },
            "per_frame": {name: list(map(as_json, scores)) for name, scores in per_frame.items()},
        }

    def resampled(self, groups: ArrayLike | None = None) -> Values:
        """Return each mean score of 2,000 bootstrap resamples, `[2000]`; NaN where undefined.

        The same groups are drawn for every model, so that differences are paired.

        Args:
            groups: an integer for each sequence, equal where sequences are not independent, such
                as windows of one recording. Groups are resampled whole. None: sequences are.
        """
        order, sizes = _in_groups(self.sequences, groups)
        starts = np.cumsum(sizes) - sizes
        addends = {
            name: np.add.reduceat(values[..., order, :], starts, axis=-2)
            for name, values in self._all().items()
        }
        parts = []
        for counts in resampling_counts(len(sizes)):
            sums = {name: counts @ values for name, values in addends.items()}
            parts.append(self._mean(sums, (counts @ sizes)[:, None]))
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def intervals(self, groups: ArrayLike | None = None) -> dict[str, list[float] | None]:
        """Return the 95 % interval `[low, high]` of each mean score; arguments as `resampled`."""
        return intervals(self.resampled(groups), len(_in_groups(self.sequences, groups)[1]))

    def details(self) -> dict:
        """What else than scores there is to tell, as JSON types."""
        return {}

    def per_sequence(self) -> Values:
        """Mean scores of each sequence alone `[sequences]`, in their order; NaN if undefined."""
        return self._mean(self._all(), 1)

    def _all(self):
        if not self.sequences:
            raise MimError("Scores need at least one sequence, received none. Call update first.")
        if len(self._parts) > 1:
            joined = {
                name: np.concatenate([part[name] for part in self._parts], axis=-2)
                for name in self._parts[0]
            }
            self._parts = [joined]
        return self._parts[0]

    @abc.abstractmethod
    def _addends(self, truth, prediction) -> Values:
        """By name, what each sequence adds to the sums of each frame, float64 `[..., B, horizon]`.

        The value of a sequence does not depend on the others in its batch.
        """

    @abc.abstractmethod
    def _scores(self, sums: Values, sequences: int | np.ndarray) -> Values:
        """By name, the scores `[..., horizon]` that sums over so many sequences make.

        Sums are as addends, with any axis, or none, in the place of B. NaN if undefined.
        """

    def _mean(self, sums: Values, sequences: int | np.ndarray) -> Values:
        """By name, the mean `[...]` of the frames' scores that are defined; NaN if none is."""
        return {
            name: defined_mean(scores) for name, scores in self._scores(sums, sequences).items()
        }


def as_json(score: float) -> float | None:
    """None for NaN."""
    return None if math.isnan(score) else float(score)


def defined_mean(scores: np.ndarray) -> np.ndarray:
    """Mean over the last axis of `[..., N]` without what is NaN; NaN where all is."""
    defined = ~np.isnan(scores)
    with np.errstate(invalid="ignore"):
        return np.where(defined, scores, 0).sum(axis=-1) / defined.sum(axis=-1)


# MERGED: Percentile bootstrap: how far a mean would move with other sequences of the same kind.
#
# Reference: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, section 13.3.


RESAMPLES = 2000
LEVEL = 0.95
SEED = 0
# Counts in memory at a time: 16 MB.
LARGEST_PART = 2_000_000


def _in_groups(count, groups):
    """The order that puts groups one after another, and their sizes."""
    groups = np.arange(count) if groups is None else np.asarray(groups)
    _, sizes = np.unique(groups, return_counts=True)
    return np.argsort(groups, kind="stable"), sizes


def resampling_counts(size: int) -> Iterator[np.ndarray]:
    """Yield how often each of `size` groups is in each of 2,000 resamples, in parts `[R, size]`.

    They are the same for the same size, so that the resamples of two models are paired.
    """
    generator = np.random.default_rng(SEED)
    rows = max(1, LARGEST_PART // size)
    for first in range(0, RESAMPLES, rows):
        count = min(rows, RESAMPLES - first)
        drawn = generator.integers(size, size=(count, size)) + np.arange(count)[:, None] * size
        yield np.bincount(drawn.ravel(), minlength=count * size).reshape(count, size).astype(float)


def intervals(resamples: Values, size: int) -> dict[str, list[float] | None]:
    """Return the `interval` of each score of `resampled`, of so many groups."""
    return {name: interval(means, size) for name, means in resamples.items()}


def interval(means: np.ndarray, size: int) -> list[float] | None:
    """Return `[low, high]`, the expanded percentile interval; None where all means are NaN.

    The middle 95 % of resampled means are too narrow for few groups: their variance lacks a factor
    (size - 1) / size, and their tails are not those of Student's t. Both are made up for in the
    level (Hesterberg, "What Teachers Should Know about the Bootstrap", 2015, section 4.2).

    Args:
        means: resampled means.
        size: number of groups that were resampled.
    """
    means = means[~np.isnan(means)]
    if not means.size or size < 2:
        return None
    tail = stats.norm.cdf(np.sqrt(size / (size - 1)) * stats.t.ppf((1 - LEVEL) / 2, size - 1))
    return np.quantile(means, [tail, 1 - tail]).tolist()


def mean_interval(values: np.ndarray, groups: ArrayLike | None = None) -> list[float] | None:
    """Return the 95 % interval of the mean of `values` `[N]`; None for fewer than two groups."""
    order, sizes = _in_groups(len(values), groups)
    if len(sizes) < 2:
        return None
    sums = np.add.reduceat(values[order], np.cumsum(sizes) - sizes)
    means = [(counts @ sums) / (counts @ sizes) for counts in resampling_counts(len(sizes))]
    return interval(np.concatenate(means), len(sizes))
