"""What scores of all kinds have in common: values of each sequence, gathered and merged."""

import abc
import math

import numpy as np
from numpy.typing import ArrayLike

from mim_tf.data.scale import UNIT
from mim_tf.errors import MimError
from mim_tf.evaluation.bootstrap import interval, resampling_counts
from mim_tf.evaluation.checks import check_batch

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

    scale = UNIT

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

    def intervals(self) -> dict[str, list[float] | None]:
        """95 % bootstrap interval `[low, high]` of each mean score, by resampling sequences.

        None where the score is not defined, or for fewer than two sequences.
        """
        addends, parts = self._all(), []
        for counts in resampling_counts(self.sequences):
            sums = {name: counts @ values for name, values in addends.items()}
            parts.append(self._mean(sums, self.sequences))
        if self.sequences < 2:
            return dict.fromkeys(parts[0])
        return {name: interval(np.concatenate([part[name] for part in parts])) for name in parts[0]}

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
    def _scores(self, sums: Values, sequences: int) -> Values:
        """By name, the scores `[..., horizon]` that sums over so many sequences make.

        Sums are as addends, with any axis, or none, in the place of B. NaN if undefined.
        """

    def _mean(self, sums: Values, sequences: int) -> Values:
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
