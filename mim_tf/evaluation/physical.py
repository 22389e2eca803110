"""Errors of predicted frames in physical units."""

import numpy as np

from mim_tf.data.scale import LinearScale
from mim_tf.evaluation.accumulated import AccumulatedScores
from mim_tf.evaluation.checks import FRAME_AXES


class PhysicalErrors(AccumulatedScores):
    """Errors in the unit of `scale`, per predicted frame, over all sequences given to `update`.

    Unlike the `mse` and `mae` of `FrameScores` they are for one value, not summed over a frame,
    and predictions are not clipped. Missing values are left out.

    - `mae_<unit>`: mean absolute difference
    - `rmse_<unit>`: root of the mean squared difference

    A frame's mean is over all its values in all sequences, the overall one over all values of all
    frames, so that the overall RMSE is not the mean of the frames' RMSE. None where every value
    is missing.

    Args:
        scale: what 0 and 1 in a frame stand for.
    """

    def __init__(self, scale: LinearScale):
        super().__init__()
        self._scale = scale

    def _addends(self, truth, prediction):
        known = ~np.isnan(truth)
        difference = np.where(known, np.subtract(prediction, truth, dtype=np.float64), 0)
        return {
            "absolute": np.abs(difference).sum(axis=FRAME_AXES),
            "squared": np.square(difference).sum(axis=FRAME_AXES),
            "count": known.sum(axis=FRAME_AXES),
        }

    def _scores(self, sums):
        size, unit = self._scale.high - self._scale.low, self._scale.unit
        with np.errstate(invalid="ignore"):
            return {
                f"mae_{unit}": sums["absolute"] / sums["count"] * size,
                f"rmse_{unit}": np.sqrt(sums["squared"] / sums["count"]) * size,
            }

    def _mean(self, per_frame):
        return self._scores({name: values.sum() for name, values in self._sums.items()})
