"""Physical values of frames."""

import dataclasses
import json
from collections.abc import Callable, Sequence

import numpy as np

from mim_tf.errors import MimError

Numbers = float | tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class LinearScale:
    """A linear map: 0 in a frame stands for `low`, 1 for `high`, in `unit`.

    Each is one for all channels, or a tuple with one for each.

    Args:
        unit: of physical values.
        low: physical value of 0.
        high: physical value of 1.
        clipped: whether frames end at 0 and 1; otherwise values may lie beyond.
        black: physical value that pictures show as black; None: `low`.
        white: physical value that pictures show as white; None: `high`.
        names: of the channels, where they have any.

    Raises `MimError` if `high` is not above `low`.
    """

    unit: str | tuple[str, ...]
    low: Numbers
    high: Numbers
    clipped: bool = True
    black: Numbers | None = None
    white: Numbers | None = None
    names: tuple[str, ...] = ()

    def __post_init__(self):
        for field in dataclasses.fields(self):  # JSON knows lists only
            if isinstance(getattr(self, field.name), list):
                object.__setattr__(self, field.name, tuple(getattr(self, field.name)))
        if not np.all(np.less(self.low, self.high)):
            raise MimError(
                f"The scale in {self.unit} needs a low value below the high one, received "
                f"{self.low} and {self.high}."
            )

    @property
    def is_uniform(self) -> bool:
        """Whether all channels have one unit and one range."""
        return not isinstance(self.unit, tuple) and np.ndim(self.low) == 0

    @property
    def channels(self) -> int | None:
        """How many channels it is for; None: any number."""
        return len(self.low) if isinstance(self.low, tuple) else None

    @property
    def words(self) -> str:
        """What 0 and 1 stand for."""
        if self.channels is None:
            return f"0 is {self.low:g} and 1 is {self.high:g} {self.unit}".rstrip()
        each = [self.of_channel(n) for n in range(self.channels)]
        return "; ".join(" ".join((*one.names, one.words)) for one in each)

    def is_like(self, other: "LinearScale") -> bool:
        """Whether frames of the two stand for the same values."""
        return all(
            np.all(np.asarray(getattr(self, name)) == np.asarray(getattr(other, name)))
            for name in ("unit", "low", "high")
        )

    def of_channel(self, channel: int) -> "LinearScale":
        """The scale of one channel, with numbers in the place of tuples."""
        settings = {
            name: value[channel] if isinstance(value, tuple) and value else value
            for name, value in vars(self).items()
        }
        return LinearScale(**{**settings, "names": self.names[channel : channel + 1]})

    def to_unit(self, values: np.ndarray) -> np.ndarray:
        """Physical values `[..., C]` as float32 of frames; `clipped` clips those outside."""
        size = np.asarray(np.subtract(self.high, self.low), np.float32)
        return self.clip((np.asarray(values, np.float32) - np.asarray(self.low, np.float32)) / size)

    def to_physical(self, frames: np.ndarray) -> np.ndarray:
        """Frames `[..., C]` as physical values, float32; not clipped."""
        size = np.asarray(np.subtract(self.high, self.low), np.float32)
        return np.asarray(frames, np.float32) * size + np.asarray(self.low, np.float32)

    def clip(self, frames: np.ndarray) -> np.ndarray:
        """Frames or predictions as float32, those that are `clipped` in [0, 1]."""
        frames = np.asarray(frames, np.float32)
        return np.clip(frames, 0, 1, dtype=np.float32) if self.clipped else frames

    def shown(self, frames: np.ndarray) -> np.ndarray:
        """Frames `[..., C]` as pictures show them: float32 in [0, 1], 0 black and 1 white."""
        if self.black is None or self.white is None:
            return np.clip(np.asarray(frames, np.float32), 0, 1)
        size = np.subtract(self.high, self.low)
        black, white = (
            np.float32(np.subtract(end, self.low) / size) for end in (self.black, self.white)
        )
        return np.clip((np.asarray(frames, np.float32) - black) / (white - black), 0, 1)

    def as_json(self) -> dict:
        """What makes the same scale again, as JSON types."""
        settings = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != field.default
        }
        return json.loads(json.dumps(settings))

    def check_thresholds(self, thresholds: Sequence[float]) -> None:
        """Raises `MimError` unless there are thresholds, all from `low` to below `high`."""
        if not self.is_uniform:
            raise MimError(
                "Thresholds need one unit and one range of all channels, received "
                f"{', '.join(self.unit)}. Leave the thresholds out."
            )
        thresholds, low, high = list(thresholds), np.min(self.low), np.max(self.high)
        if not thresholds or not all(low <= value < high for value in thresholds):
            raise MimError(
                f"Expected thresholds from {low:g} to below {high:g} {self.unit}, the "
                f"range of the frames, received {', '.join(f'{x:g}' for x in thresholds)}. "
                "Change the thresholds or the range (dbz_min, dbz_max)."
            )


UNIT = LinearScale("", 0.0, 1.0)
"""Of frames without physical values, which are in [0, 1]."""


# MERGED: Physical values that follow from those of a linear scale, such as rain rates of reflectivity.


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

    @property
    def clipped(self) -> bool:
        """Whether frames end at 0 and 1."""
        return self.scale.clipped

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
