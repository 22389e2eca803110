"""What an event is, and how its scores are averaged."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from mim_tf.data.conversion import ConvertedScale
from mim_tf.data.scale import LinearScale
from mim_tf.errors import MimError

# Far above the rounding of a float32 in [0, 1], far below the step of 8- or 16-bit levels.
ROUNDING = 1e-6


@dataclasses.dataclass(frozen=True)
class EventRule:
    """What an event is, and how its scores are averaged.

    Attributes:
        inclusive: whether a value of exactly the threshold is an event.
        mean_of_counts: whether a score's mean is that of all frames' counts together, and there is
            a mean over thresholds; otherwise the mean is that of the frames' scores.
        pools: sides in pixels of the squares whose maximum is scored too, by CSI.
        balanced: whether there are errors in which heavy rain counts more, of rain rates.
        windows: sides in pixels of the windows of the fractions skill score.
    """

    inclusive: bool = False
    mean_of_counts: bool = False
    pools: tuple[int, ...] = ()
    balanced: bool = False
    windows: tuple[int, ...] = ()


EVENT_RULES = {
    # Shi et al., 2017: `>=`, and the mean of the frames' scores.
    "hko7": EventRule(inclusive=True, balanced=True),
    # Veillette et al., 2020, and the pooled CSI of later papers on SEVIR.
    "sevir": EventRule(inclusive=True, mean_of_counts=True, pools=(4, 16)),
    # Pulkkinen et al., 2019.
    "pysteps": EventRule(windows=(4, 16)),
}
"""Protocol -> rule; every other protocol has `EventRule()`."""


def event_bounds(
    scale: LinearScale | ConvertedScale, thresholds: Sequence[float], inclusive: bool
) -> dict[str, np.float32]:
    """Threshold as text -> the value in a frame above which there is an event.

    Args:
        scale: what values in a frame stand for.
        thresholds: in the unit of `scale`.
        inclusive: whether a value of exactly the threshold is an event.

    Raises:
        MimError: for thresholds that every value, or none, of the scale exceeds.
    """
    scale.check_thresholds(thresholds)
    bounds = scale.to_unit(thresholds)
    if inclusive and scale.clipped and min(bounds) <= 0:
        raise MimError(
            f"Expected thresholds above {min(thresholds):g} {scale.unit}, which every value of the "
            "frames reaches, for events are values of at least the threshold. Leave it out."
        )
    # Frames are compared in [0, 1], not mapped back: a truth of exactly the threshold has come
    # the same way. ROUNDING is for one that has not: levels, or data scaled elsewhere.
    rounding = np.float32(-ROUNDING if inclusive else ROUNDING)
    return {
        np.format_float_positional(threshold, trim="-"): bound + rounding
        for threshold, bound in zip(thresholds, bounds, strict=True)
    }
