"""Errors of one value, as means over all values."""

import numpy as np

from mim_tf.evaluation.accumulated import AccumulatedScores
from mim_tf.evaluation.checks import FRAME_AXES


class PixelErrors(AccumulatedScores):
    """Errors of one value in [0, 1], per predicted frame. Predictions are not clipped.

    - `mse`: mean squared difference
    - `mae`: mean absolute difference
    - `rmse`: root of `mse`

    A frame's mean is over all its values in all sequences, the overall one over all values of all
    frames, so that the overall RMSE is not the mean of the frames' RMSE. Missing values are left
    out; None where every value is missing.
    """

    def _addends(self, truth, prediction):
        known = ~np.isnan(truth)
        difference = np.where(known, np.subtract(prediction, truth, dtype=np.float64), 0)
        return {
            "squared": np.square(difference).sum(axis=FRAME_AXES),
            "absolute": np.abs(difference).sum(axis=FRAME_AXES),
            "count": known.sum(axis=FRAME_AXES, dtype=np.float64),
        }

    def _scores(self, sums, sequences):
        with np.errstate(invalid="ignore"):
            mse = sums["squared"] / sums["count"]
            return {"mse": mse, "mae": sums["absolute"] / sums["count"], "rmse": np.sqrt(mse)}

    def _mean(self, sums, sequences):
        return self._scores({name: values.sum(axis=-1) for name, values in sums.items()}, sequences)
