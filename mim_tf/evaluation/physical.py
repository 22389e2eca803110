"""Errors of predicted frames in physical units."""

import numpy as np

from mim_tf.data.scale import LinearScale
from mim_tf.errors import MimError
from mim_tf.evaluation.pair import as_json, check_pair

# All but the lead times of [B, horizon, H, W, C].
POOLED_AXES = (0, 2, 3, 4)


class PhysicalErrors:
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
        self.sequences = 0
        self._scale = scale
        self._sums = None

    def update(self, truth, prediction):
        """Adds a batch.

        Args:
            truth: `[B, horizon, H, W, C]`, floats in [0, 1]; NaN where a value is missing.
            prediction: the same shape.

        Raises:
            MimError: see `check_pair`.
        """
        horizon = None if self._sums is None else self._sums.shape[1]
        truth, prediction = check_pair(truth, prediction, horizon, self.sequences)
        known = ~np.isnan(truth)
        difference = np.where(known, np.subtract(prediction, truth, dtype=np.float64), 0)
        parts = np.abs(difference), np.square(difference), known
        sums = np.array([part.sum(axis=POOLED_AXES, dtype=np.float64) for part in parts])
        self._sums = sums if self._sums is None else self._sums + sums
        self.sequences += len(truth)

    def result(self):
        """Errors so far, as JSON types, laid out as those of `FrameScores.result`.

        Raises:
            MimError: there are no sequences.
        """
        if not self.sequences:
            raise MimError("Scores need at least one sequence, received none. Call update first.")
        per_frame = self._errors(self._sums)
        overall = self._errors(self._sums.sum(axis=1, keepdims=True))
        return {
            "sequences": self.sequences,
            "mean": {name: values[0] for name, values in overall.items()},
            "per_frame": per_frame,
        }

    def _errors(self, sums):
        absolute, squared, count = sums
        size = self._scale.high - self._scale.low
        with np.errstate(invalid="ignore"):
            errors = {"mae": absolute / count * size, "rmse": np.sqrt(squared / count) * size}
        return {f"{name}_{self._scale.unit}": as_json(error) for name, error in errors.items()}
