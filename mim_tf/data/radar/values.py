"""What the stored numbers of radar frames stand for."""

import dataclasses
import math

import numpy as np

from mim_tf.data.files.arrays import from_uint8
from mim_tf.data.scale import LinearScale
from mim_tf.errors import MimError


@dataclasses.dataclass(frozen=True)
class RadarValues:
    """What the stored numbers of radar frames stand for.

    Args:
        scale: bounds in dBZ.
        kind: of floats, "dbz" or "unit".
        missing: numbers, and NaN, that stand for missing values.
    """

    scale: LinearScale
    kind: str
    missing: tuple[float, ...] = ()

    def are_missing(self, stored: np.ndarray) -> np.ndarray:
        """Where `stored` has one of the values for missing ones; bool of its shape."""
        found = np.zeros(stored.shape, bool)
        with np.errstate(over="ignore"):  # The dtype may not have a number as large as `value`.
            for value in self.missing:
                found |= np.isnan(stored) if math.isnan(value) else stored == value
        return found

    def to_unit(self, stored: np.ndarray) -> np.ndarray:
        """uint8 or float frames as float32 in [0, 1]; missing values are 0."""
        gone = self.are_missing(stored)
        # Before the map, because numbers such as -1.8e308 do not fit into float32.
        stored = np.where(gone, 0, stored)
        if stored.dtype == np.uint8:
            frames = from_uint8(stored)
        elif self.kind == "unit":
            frames = stored.astype(np.float32)
        else:
            frames = self.scale.to_unit(stored)
        frames[gone] = 0
        return frames

    def fault(self, stored: np.ndarray) -> tuple[int, str] | None:
        """The first value among floats `[n, H, W]` that should not be there.

        Returns:
            (index of its frame, what is wrong with it and how to mend it), or None.
        """
        sound = np.isfinite(stored)
        if self.kind == "unit":
            sound &= (stored >= 0) & (stored <= 1)
        sound |= self.are_missing(stored) & ~np.isinf(stored)
        if sound.all():
            return None
        place = tuple(np.argwhere(~sound)[0])
        return int(place[0]), self._complaint(stored[place])

    def _complaint(self, value):
        if math.isnan(value):
            return "received NaN. If it stands for missing values, say --radar_missing=nan."
        if math.isinf(value):
            return f"expected finite values, received {value}. Replace it."
        return (
            f"expected values in [0, 1], because of --radar_values=unit, received {value}. For "
            f"reflectivity say --radar_values=dbz; if {value:g} stands for missing values, "
            f"--radar_missing={value:g}."
        )


def parse_missing(text: str) -> tuple[float, ...]:
    """The numbers in comma separated text; `MimError` for anything but numbers and nan."""
    numbers = []
    for part in filter(None, map(str.strip, text.split(","))):
        try:
            numbers.append(float(part))
        except ValueError:
            numbers.append(math.inf)
        if math.isinf(numbers[-1]):
            raise MimError(
                f"radar_missing must be nan or numbers, comma separated, received {part!r}."
            )
    return tuple(numbers)
