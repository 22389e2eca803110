"""Errors of predicted frames in physical units."""

import numpy as np

from mim_tf.data.scale import LinearScale
from mim_tf.evaluation.pixel import PixelErrors


class PhysicalErrors(PixelErrors):
    """`mae_<unit>` and `rmse_<unit>`: `PixelErrors` in the unit of `scale`.

    Where channels have units and ranges of their own, each has its own scores, such as
    `mae_t2m_K`.

    Args:
        scale: what 0 and 1 in a frame stand for.
    """

    def __init__(self, scale: LinearScale):
        super().__init__(scale)
        self.scale = scale
        # The end of the scores' names -> channels, and what 1 in a frame is in the unit.
        self._channels = {_name(scale): (slice(None), _size(scale))}
        if not scale.is_uniform:
            channels = map(scale.of_channel, range(scale.channels or len(scale.unit)))
            self._channels = {
                _name(each): (slice(n, n + 1), _size(each)) for n, each in enumerate(channels)
            }

    def _addends(self, truth, prediction):
        addends = {}
        for name, (channels, _) in self._channels.items():
            own = super()._addends(truth[..., channels], prediction[..., channels])
            addends |= {f"{part} {name}": values for part, values in own.items()}
        return addends

    def _scores(self, sums, sequences):
        scores = {}
        for name, (_, size) in self._channels.items():
            own = {part: sums[f"{part} {name}"] for part in ("squared", "absolute", "count")}
            errors = super()._scores(own, sequences)
            scores |= {f"{score}_{name}": errors[score] * size for score in ("mae", "rmse")}
        return scores


def _name(scale):
    words = *scale.names[:1], "" if isinstance(scale.unit, tuple) else scale.unit
    return "_".join(word.replace(" ", "_") for word in words if word)


def _size(scale):
    return np.subtract(scale.high, scale.low)
