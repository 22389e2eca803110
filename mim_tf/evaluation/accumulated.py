"""What scores of all kinds have in common: sums over the sequences so far."""

import abc
import math

import numpy as np

from mim_tf.errors import MimError
from mim_tf.evaluation.checks import check_batch


class AccumulatedScores(abc.ABC):
    """Scores per predicted frame, made of sums over all sequences given to `update`.

    Each kind of score says in `_addends` what is summed, and in `_scores` what the sums make.
    """

    def __init__(self):
        self.sequences = 0
        self._horizon = None
        self._sums = {}

    def update(self, truth, prediction):
        """Adds a batch.

        Args:
            truth: `[B, horizon, H, W, C]`, floats in [0, 1]; NaN where a value is missing.
            prediction: the same shape, not clipped.

        Raises:
            MimError: shapes or horizons do not match, the truth leaves [0, 1], or a prediction is
                not finite.
        """
        truth, prediction = check_batch(truth, prediction, self._horizon, self.sequences)
        for name, addends in self._addends(truth, prediction).items():
            self._sums[name] = self._sums.get(name, 0) + addends.sum(axis=-2, dtype=np.float64)
        self._horizon = truth.shape[1]
        self.sequences += len(truth)

    def result(self) -> dict:
        """Scores so far, as JSON types.

        Returns:
            `{"sequences": int, "mean": {score: float}, "per_frame": {score: [horizon floats]}}`,
            with None for a score that is not defined. Unless a kind of score says otherwise, the
            mean is that of the frames' scores, without those that are None.

        Raises:
            MimError: there are no sequences.
        """
        if not self.sequences:
            raise MimError("Scores need at least one sequence, received none. Call update first.")
        per_frame = self._scores(self._sums)
        return {
            "sequences": self.sequences,
            "mean": {name: _as_json(score) for name, score in self._mean(per_frame).items()},
            "per_frame": {name: list(map(_as_json, scores)) for name, scores in per_frame.items()},
        }

    @abc.abstractmethod
    def _addends(self, truth, prediction):
        """By name, what each sequence adds to the sums of each frame, `[..., B, horizon]`."""

    @abc.abstractmethod
    def _scores(self, sums):
        """By name, the scores `[horizon]` that `sums` `[..., horizon]` make; NaN if undefined."""

    def _mean(self, per_frame):
        """By name, the mean of the scores that are defined; NaN if none is."""
        defined = {name: scores[~np.isnan(scores)] for name, scores in per_frame.items()}
        return {name: scores.mean() if scores.size else np.nan for name, scores in defined.items()}


def _as_json(score):
    return None if math.isnan(score) else float(score)
