"""Errors of predicted frames in physical units."""

from mim_tf.data.scale import LinearScale
from mim_tf.evaluation.pixel import PixelErrors


class PhysicalErrors(PixelErrors):
    """`mae_<unit>` and `rmse_<unit>`: `PixelErrors` in the unit of `scale`.

    Args:
        scale: what 0 and 1 in a frame stand for.
    """

    def __init__(self, scale: LinearScale):
        super().__init__(scale)
        self._scale = scale

    def _scores(self, sums, sequences):
        size, unit = self._scale.high - self._scale.low, self._scale.unit
        errors = super()._scores(sums, sequences)
        return {f"{name}_{unit}": errors[name] * size for name in ("mae", "rmse")}
