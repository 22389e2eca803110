"""Scales: which physical values the numbers in frames stand for."""

import dataclasses
import json
import re
from collections.abc import Callable, Sequence
from numbers import Real
from pathlib import Path

import numpy as np
from absl import logging

from mim_tf.errors import MimError
from mim_tf.values.text import listed

Numbers = float | tuple[float, ...]
LEAST_RAIN = -0.01  # mm/h; packed numbers may be slightly negative
_LARGEST = 3.4e38  # what float32 holds
_WIDE = 20  # ratio of two ranges of values that hardly have one unit

# Rain rates in mm/h span four decades, most of them small. Both functions map 0 to 0.

_LITTLE = 0.1  # mm/h, below which the logarithm is nearly linear
_Z = 200.0, 1.6  # of Z = A R^B (Marshall and Palmer, 1948)
_NO_RAIN = 5.0  # dBZ, 0.05 mm/h; below it there is no rain


def plain_unit(unit: str) -> str:
    """Return one spelling of a unit, with powers in place of /: `ms-1` for m/s and m s**-1."""
    powers = re.sub(r"/ *([A-Za-z]+)[*^]*(\d*)", lambda part: f"{part[1]}-{part[2] or 1}", unit)
    return re.sub(r"[ ^*]", "", powers)


POSSIBLE_DBZ = -100, 90
"""No weather reflects less or more. Other numbers mark missing values, such as 95.5, which is level
255 of files with steps of 0.5 dBZ from -32."""


def are_same_units(ours: Sequence[str], theirs: Sequence[str]) -> bool:
    """Return whether units are the same, in whatever spelling."""
    return [*map(plain_unit, ours)] == [*map(plain_unit, theirs)]


def _log(rain, xp):
    return xp.log1p(xp.maximum(rain, 0) / _LITTLE)


def _rain_of_log(values, xp):
    return xp.expm1(values) * _LITTLE


def _dbz(rain, xp):
    factor, power = _Z
    least = (10 ** (_NO_RAIN / 10) / factor) ** (1 / power)
    return 10 * xp.log10(factor * xp.maximum(rain, least) ** power) - _NO_RAIN


def _rain_of_dbz(values, xp):
    factor, power = _Z
    rain = (10 ** ((values + _NO_RAIN) / 10) / factor) ** (1 / power)
    return xp.where(values <= 0, 0.0, rain)  # which keeps NaN


TRANSFORMS: dict[str, tuple[Callable, Callable]] = {
    "": (lambda values, xp: values, lambda values, xp: values),
    "log": (_log, _rain_of_log),
    "dbz": (_dbz, _rain_of_dbz),
}
"""Name -> function of physical values, and its inverse; `xp` is NumPy or `keras.ops`."""

TRANSFORMED = {"log": ("ln(1 + 10 R)", 0.0), "dbz": ("dBZ", _NO_RAIN)}
"""Name -> unit of its equal steps, with R in mm/h, and what a result of 0 is in that unit."""


@dataclasses.dataclass(frozen=True)
class LinearScale:
    """A map from frames to physical values, linear or not: 0 stands for `low`, 1 for `high`.

    Each argument is one value for all channels, or a tuple with one for each. Unless frames are
    `clipped` to [0, 1], values may lie beyond. Pictures show the physical value `black` (None:
    `low`) as black and `white` (None: `high`) as white. `names` are those of the channels, if any.
    With a `transform` of `TRANSFORMS`, frames are linear in that function of the values.
    """

    unit: str | tuple[str, ...]
    low: Numbers
    high: Numbers
    clipped: bool = True
    black: Numbers | None = None
    white: Numbers | None = None
    names: tuple[str, ...] = ()
    transform: str = ""

    def __post_init__(self):
        if self.transform not in TRANSFORMS:
            raise MimError(f"Expected a scale of {listed(TRANSFORMS)}, got {self.transform!r}.")
        for name, value in vars(self).copy().items():
            if isinstance(value, list):  # from JSON
                object.__setattr__(self, name, tuple(value))
        parts = {k: v if isinstance(v, tuple) else (v,) for k, v in vars(self).items()}
        texts = parts["unit"] + parts["names"]
        ends = [parts[name] for name in ("low", "high", "black", "white")]
        numbers = [n for each in ends if each != (None,) for n in each]
        counts = {len(v) for v in vars(self).values() if isinstance(v, tuple) and v != ()}
        if (
            not all(isinstance(each, str) for each in texts)
            or not all(isinstance(n, Real) and abs(n) <= _LARGEST for n in numbers)
            or len(counts) > 1
            or () in (parts["unit"], *ends)
        ):
            raise MimError(f"Expected a scale of numbers, units and names, got {vars(self)}.")
        black = self.low if self.black is None else self.black
        white = self.high if self.white is None else self.white
        if not (np.all(np.less(self.low, self.high)) and np.all(np.less_equal(black, white))):
            raise MimError(
                f"Expected a scale from low to high, got {self.low} to {self.high} {self.unit}."
            )

    @property
    def is_uniform(self) -> bool:
        """Whether all channels have one unit and one range."""
        return not isinstance(self.unit, tuple) and np.ndim(self.low) == 0

    @property
    def channels(self) -> int | None:
        """Number of channels; None: any number."""
        return len(self.low) if isinstance(self.low, tuple) else None

    @property
    def is_reflectivity(self) -> bool:
        """Whether the values are in dBZ; grids have a unit for each channel."""
        return self.unit in ("dBZ", ("dBZ",))

    @property
    def is_identity(self) -> bool:
        """Whether frames are the values, in [0, 1]."""
        return self.clipped and not np.any(self.low) and bool(np.all(np.equal(self.high, 1)))

    @property
    def possible(self) -> tuple[float, float, str]:
        """The least and the largest value there can be, and what is expected, in words."""
        if self.is_reflectivity:
            return *POSSIBLE_DBZ, "dBZ from {} to {}".format(*POSSIBLE_DBZ)
        if self.transform:
            return LEAST_RAIN, _LARGEST, "rain of 0 mm/h or more"
        if self.is_identity:
            return 0, 1, "values in [0, 1]"
        return -_LARGEST, _LARGEST, "finite values"

    @property
    def words(self) -> str:
        """The values of 0 and 1 as text."""
        if self.channels is None:
            steps = f", equal steps in {self.transform}" if self.transform else ""
            return f"0 is {self.low:g} and 1 is {self.high:g} {self.unit}".rstrip() + steps
        each = [self.of_channel(n) for n in range(self.channels)]
        return "; ".join(" ".join((*one.names, one.words)) for one in each)

    def is_like(self, other: "LinearScale") -> bool:
        """Return whether frames of the two scales stand for the same values."""
        return all(
            np.all(np.asarray(getattr(self, name)) == np.asarray(getattr(other, name)))
            for name in ("unit", "low", "high", "transform")
        )

    def of_channel(self, channel: int) -> "LinearScale":
        """Return the scale of one channel, with numbers instead of tuples."""
        settings = {
            name: value[channel] if isinstance(value, tuple) and value else value
            for name, value in vars(self).items()
        }
        return LinearScale(**{**settings, "names": self.names[channel : channel + 1]})

    def to_unit(self, values: np.ndarray) -> np.ndarray:
        """Return physical values `[..., C]` as float32 frames, clipped if `clipped`."""
        return self.clip(self.frames_of(np.asarray(values, np.float32), np))

    def to_physical(self, frames: np.ndarray) -> np.ndarray:
        """Return frames `[..., C]` as float32 physical values, not clipped."""
        return np.asarray(self.values_of(np.asarray(frames, np.float32), np), np.float32)

    def frames_of(self, values, xp):
        """Compute frames of physical values, not clipped; `xp` is NumPy or `keras.ops`."""
        low, size = self._line
        return (TRANSFORMS[self.transform][0](values, xp) - low) / size

    def values_of(self, frames, xp):
        """Compute physical values of frames, as `frames_of` the other way round."""
        low, size = self._line
        return TRANSFORMS[self.transform][1](frames * size + low, xp)

    @property
    def _line(self):
        """Return what 0 stands for, and the step from 0 to 1, of the transformed values."""
        ends = (np.asarray(end, np.float64) for end in (self.low, self.high))
        low, high = (TRANSFORMS[self.transform][0](end, np) for end in ends)
        return np.asarray(low, np.float32), np.asarray(high - low, np.float32)

    def clip(self, frames: np.ndarray) -> np.ndarray:
        """Return frames as float32, in [0, 1] if the scale is `clipped`."""
        frames = np.asarray(frames, np.float32)
        return np.clip(frames, 0, 1, dtype=np.float32) if self.clipped else frames

    def shown(self, frames: np.ndarray, clip: bool = True) -> np.ndarray:
        """Return frames `[..., C]` as pictures show them, float32 from 0 (black) to 1 (white)."""
        frames = np.asarray(frames, np.float32)
        if self.black is None or self.white is None:
            return np.clip(frames, 0, 1) if clip else frames
        size = np.subtract(self.high, self.low)
        black, white = (
            np.float32(np.subtract(end, self.low) / size) for end in (self.black, self.white)
        )
        found = (frames - black) / (white - black)
        return np.clip(found, 0, 1) if clip else found

    def as_json(self) -> dict:
        """Return the arguments that differ from their defaults, as JSON types."""
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        changed = {name: value for name, value in vars(self).items() if value != defaults[name]}
        return json.loads(json.dumps(changed))

    def check_levels(self, name: str | Path) -> None:
        """Raise `MimError` if the network was not trained on levels / 255, as `name` has."""
        ends = [each for each in (self.black, self.white) if each is not None]
        if any(self.unit) or len(ends) < 2 or np.min(ends) < 0 or np.max(ends) > 1:
            raise MimError(f"{name}: expected floats, physical values as in training, got 0..255.")

    def warn_of_other_values(self, values: np.ndarray, where: str) -> None:
        """Log a warning if values `[..., C]`, NaN where missing, seem to be in another unit.

        They do where a channel has no value in the range of its training, or a much wider range.
        On a clipped scale, they do where all values are in [0, 1], as frames are.
        """
        axes = tuple(range(values.ndim - 1))
        low, high = (function.reduce(values, axes) for function in (np.fmin, np.fmax))
        if self.clipped:
            is_wide = not self.transform and np.min(np.subtract(self.high, self.low)) > _WIDE
            is_other = is_wide and low.min() >= 0 and 0 < high.max() <= 1
        elif self.black is not None and self.white is not None:
            is_wide = high - low > _WIDE * np.subtract(self.white, self.black)
            is_other = np.any((high < self.black) | (low > self.white) | is_wide)
        else:
            return
        if is_other:
            message = "%s: expected values of the scale (%s), got %g to %g. Check their unit."
            logging.warning(message, where, self.words, np.fmin.reduce(low), np.fmax.reduce(high))

    def check_thresholds(self, thresholds: Sequence[float]) -> None:
        """Raise `MimError` for several units, no thresholds, or thresholds no frame can have.

        Frames that are not clipped can have any value. A warning names thresholds beyond the values
        that pictures show, because every value, or none, may exceed them.
        """
        if (self.channels or 1) > 1:
            units = zip(self.names, self.unit, strict=False)
            got = ", ".join(f"{name} in {unit}" for name, unit in units) or f"{self.channels}"
            raise MimError(
                f"Expected one variable for --thresholds, got {got}. Choose it with --variables."
            )
        unit = self.of_channel(0).unit
        if self.clipped:
            _check_range(thresholds, float(np.min(self.low)), float(np.max(self.high)), unit)
            return
        if self.black is None or self.white is None:
            return
        low, high = float(np.min(self.black)), float(np.max(self.white))
        if not all(low <= value < high for value in thresholds):
            logging.log_first_n(
                logging.WARNING,
                "--thresholds of %s lie beyond the values of training or truth, %g to %g %s: every "
                "value, or none, may be an event.",
                1,
                *(", ".join(f"{value:g}" for value in thresholds), low, high, unit),
            )


RAIN_SCALES = {
    "log": LinearScale("mm/h", 0.0, 200.0, transform="log"),
    "dbz": LinearScale("mm/h", 0.0, 200.0, transform="dbz"),
}
"""Scales of rain rates, by name; more than 200 mm/h is hardly ever measured over minutes."""

UNIT = LinearScale("", 0.0, 1.0)
"""The scale of frames in [0, 1] without physical values."""


@dataclasses.dataclass(frozen=True)
class ConvertedScale:
    """Values that are an increasing function of those of a linear scale, such as rain rates.

    `convert` is the function from values of `scale` to these values, arrays of floats, and `invert`
    the inverse function.
    """

    unit: str
    scale: LinearScale
    convert: Callable[[np.ndarray], np.ndarray]
    invert: Callable[[np.ndarray], np.ndarray]

    @property
    def clipped(self) -> bool:
        """Whether frames are clipped to [0, 1]."""
        return self.scale.clipped

    def to_unit(self, values: np.ndarray) -> np.ndarray:
        """Return these values as float32 frames, clipped to the range of the scale."""
        return self.scale.to_unit(self.invert(np.asarray(values, np.float64)))

    def to_physical(self, frames: np.ndarray) -> np.ndarray:
        """Return frames as these values, float32."""
        # Frames are clipped first, because the function may grow without bounds.
        values = self.scale.to_physical(np.clip(frames, 0, 1))
        return self.convert(values.astype(np.float64)).astype(np.float32)

    def check_thresholds(self, thresholds: Sequence[float]) -> None:
        """Raise `MimError` unless all thresholds are in the range of frames, and there are some."""
        low, high = self.to_physical(np.array([0.0, 1.0]))
        _check_range(thresholds, low, high, self.unit)


def _check_range(thresholds, low, high, unit):
    if not len(thresholds) or not all(low <= value < high for value in thresholds):
        got = ", ".join(f"{value:g}" for value in thresholds) or "none"
        below = f"{high:g} {unit}".strip()
        remedy = "For radar, --dbz_min and --dbz_max change the range."
        if not unit:
            remedy = "Levels of uint8 count as 0 to 1: save floats to keep their values."
        raise MimError(
            f"Expected --thresholds from {low:g} to below {below}, the range of the frames, "
            f"got {got}. {remedy}"
        )
