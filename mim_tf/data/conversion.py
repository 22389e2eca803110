"""Physical values that follow from those of a linear scale, such as rain rates of reflectivity."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from mim_tf.data.scale import LinearScale
from mim_tf.errors import MimError


@dataclasses.dataclass(frozen=True)
class ConvertedScale:
    """Values in `unit`: an increasing function of those of a linear scale.

    Attributes:
        unit: of these values.
        scale: what 0 and 1 in a frame stand for.
        convert: from its values to these, NumPy arrays of floats.
        invert: the other way.
    """

    unit: str
    scale: LinearScale
    convert: Callable[[np.ndarray], np.ndarray]
    invert: Callable[[np.ndarray], np.ndarray]

    def to_unit(self, values: np.ndarray) -> np.ndarray:
        """These values as float32 in [0, 1]; those outside the scale are clipped."""
        return self.scale.to_unit(self.invert(np.asarray(values, np.float64)))

    def to_physical(self, frames: np.ndarray) -> np.ndarray:
        """Frames as these values, float32; clipped to [0, 1] first, for the function may grow."""
        values = self.scale.to_physical(np.clip(frames, 0, 1))
        return self.convert(values.astype(np.float64)).astype(np.float32)

    def check_thresholds(self, thresholds: Sequence[float]) -> None:
        """Raises `MimError` unless there are thresholds, all within what frames can stand for."""
        low, high = self.to_physical(np.array([0.0, 1.0]))
        if not thresholds or not all(low <= value < high for value in thresholds):
            raise MimError(
                f"Expected thresholds from {low:.3g} to below {high:.3g} {self.unit}, the range "
                f"of the frames, received {', '.join(f'{x:g}' for x in thresholds)}."
            )
