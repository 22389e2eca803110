"""Errors of predicted frames in units that are no linear function of the frames."""

from mim_tf.data.conversion import ConvertedScale
from mim_tf.evaluation.pixel import PixelErrors


class ConvertedErrors(PixelErrors):
    """`mae_<unit>` and `rmse_<unit>` of converted values; predictions are clipped to [0, 1].

    Args:
        scale: how frames are converted.
    """

    def __init__(self, scale: ConvertedScale):
        super().__init__(scale)
        self._scale = scale

    def _addends(self, truth, prediction):
        return super()._addends(*(self._scale.to_physical(part) for part in (truth, prediction)))

    def _scores(self, sums, sequences):
        errors = super()._scores(sums, sequences)
        return {f"{name}_{self._scale.unit}": errors[name] for name in ("mae", "rmse")}
