"""Physical values of frames."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from mim_tf.errors import MimError


@dataclasses.dataclass(frozen=True)
class LinearScale:
    """A linear map: 0 in a frame stands for `low`, 1 for `high`, in `unit`.

    Raises `MimError` where `high` is not above `low`.
    """

    unit: str
    low: float
    high: float

    def __post_init__(self):
        if not self.low < self.high:
            raise MimError(
                f"The scale in {self.unit} needs a low value below the high one, received "
                f"{self.low} and {self.high}."
            )

    def to_unit(self, values: np.ndarray) -> np.ndarray:
        """Physical values as float32 in [0, 1]; those outside low..high are clipped."""
        unit = (np.asarray(values, np.float32) - self.low) / (self.high - self.low)
        return np.clip(unit, 0, 1, dtype=np.float32)

    def to_physical(self, frames: np.ndarray) -> np.ndarray:
        """Frames as physical values, float32; not clipped."""
        return np.asarray(frames, np.float32) * np.float32(self.high - self.low) + self.low

    def check_thresholds(self, thresholds: Sequence[float]) -> None:
        """Raises `MimError` for no threshold, or one that every value, or none, exceeds."""
        thresholds = list(thresholds)
        if not thresholds or not all(self.low <= value < self.high for value in thresholds):
            raise MimError(
                f"Expected thresholds from {self.low:g} to below {self.high:g} {self.unit}, the "
                f"range of the frames, received {', '.join(f'{x:g}' for x in thresholds)}. "
                "Change the thresholds or the range (dbz_min, dbz_max)."
            )
