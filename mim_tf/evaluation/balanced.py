"""The balanced errors of the HKO-7 benchmark, in which heavy rain counts more."""

import numpy as np

from mim_tf.data.conversion import ConvertedScale
from mim_tf.evaluation.accumulated import AccumulatedScores
from mim_tf.evaluation.checks import FRAME_AXES

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
