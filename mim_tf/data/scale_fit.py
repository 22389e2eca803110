"""Scales fitted to the values of a source, and sources whose values they map to frames."""

import itertools
import math

import numpy as np
from absl import logging
from tqdm import tqdm

from mim_tf.config import DataConfig
from mim_tf.data.source import Indices, SequenceSource, WindowSource, WrappedSource
from mim_tf.errors import MimError
from mim_tf.values.scale import LEAST_RAIN, RAIN_SCALES, LinearScale, are_same_units

_VALUES_AT_A_TIME = 2**23
_MOST_RAIN = 1000  # mm/h
_REMEDY = (
    "Declare values that mean missing (_FillValue, missing_value or valid_range of a file), or "
    "replace them by NaN."
)
_SAMPLED = 8  # sequences that are read for the range of pictures, where nothing is fitted


class ValueStatistics:
    """Count, mean, deviation and range of each channel, gathered part by part without NaN.

    Source: Chan, Golub and LeVeque, 1979, for merging moments. Sums of squares would lose the
    deviation of values such as 101,325 Pa +- 1. `count`, `mean`, `low`, `high` are float64 `[C]`.
    """

    def __init__(self, channels: int):
        self.count, self.mean, self._squares = np.zeros((3, channels))
        self.low, self.high = np.full(channels, np.inf), np.full(channels, -np.inf)

    def update(self, values: np.ndarray) -> None:
        """Add `values` `[..., C]`."""
        rows = np.moveaxis(values, -1, 0).reshape(len(self.count), -1).astype(np.float64)
        known = ~np.isnan(rows)
        count = known.sum(1)
        total = self.count + count
        with np.errstate(invalid="ignore"):  # infinity, which `fit_scale` refuses
            mean = np.where(known, rows, 0).sum(1) / np.maximum(count, 1)
            squares = np.where(known, np.square(rows - mean[:, None]), 0).sum(1)
            change, share = mean - self.mean, count / np.maximum(total, 1)
            self._squares += squares + change**2 * self.count * share
            self.mean += change * share
        self.count = total
        self.low = np.minimum(self.low, rows.min(1, where=known, initial=np.inf))
        self.high = np.maximum(self.high, rows.max(1, where=known, initial=-np.inf))

    @property
    def deviation(self) -> np.ndarray:
        """Standard deviation of each channel, NaN without values."""
        with np.errstate(invalid="ignore"):
            return np.sqrt(self._squares / self.count)


def fit_scale(
    source: WindowSource, kinds: tuple[str, ...], names: tuple[str, ...], units: tuple[str, ...]
) -> LinearScale:
    """Return the scale that maps each channel's values as its kind says.

    minmax maps the lowest value to 0 and the highest to 1; standard maps the mean to 0 and one
    standard deviation above it to 1; none and unit leave values as they are. Every frame in any
    window is read and counted once, or only some sequences where nothing is fitted. Pictures show
    the lowest value that was read as black and the highest as white.

    `source` has the physical values of the training split, NaN where missing, `names` and `units`
    are of its channels. There is one of `kinds` for all channels, or one for each.
    """
    if kinds[0] in RAIN_SCALES and len(kinds) == source.shape[-1] == 1:
        if not any(units):
            logging.warning("--scale=%s: values without a unit are taken as mm/h.", kinds[0])
        found = _statistics(source, every=False)
        for value in (found.low[0], found.high[0]):
            if not math.isinf(value) and not LEAST_RAIN <= value <= _MOST_RAIN:
                message = "%s: rain of %g mm/h is impossible and is clipped. %s"
                logging.warning(message, names[0], value, _REMEDY)
        # Rain rises at some places while it falls at others. Sums only rise, but where they start
        # again.
        changes = np.concatenate(
            [np.diff(source.sequences([n])[0], axis=0) for n in _sampled(source)]
        )
        rises, falls = ((sign * changes > 0).any(axis=(1, 2, 3)) for sign in (1, -1))
        if (rises & ~falls).sum() > 4 * (falls & ~rises).sum() + (rises & falls).sum():
            logging.warning(
                "%s: rain hardly ever decreases from field to field. If the fields are sums since "
                "a start, such as that of a day, take their differences (xarray: diff).",
                names[0],
            )
        return RAIN_SCALES[kinds[0]]  # for all of the world, so nothing is fitted
    channels = source.shape[-1]
    if not RAIN_SCALES.keys().isdisjoint(kinds):
        raise MimError(f"Expected one channel for --scale of rain, got {', '.join(names)}.")
    if len(kinds) not in (1, channels):
        raise MimError(
            f"Expected one --scale, or one for each of {', '.join(names)}, got {','.join(kinds)}."
        )
    kinds = kinds * (channels // len(kinds))
    found = _statistics(source, every=bool({"minmax", "standard"} & set(kinds)))
    low, high = np.zeros(channels), np.ones(channels)
    for n, kind in enumerate(kinds):
        _check_range(kind, names[n], found.low[n], found.high[n])
        if (marker := marker_in(found.low[n], found.high[n])) is not None:
            message = "%s: the value %g often marks missing values. %s"
            logging.warning(message, names[n], marker, _REMEDY)
        if kind == "minmax":
            low[n], high[n] = found.low[n], found.high[n]
        if kind == "standard":
            low[n], high[n] = found.mean[n], found.mean[n] + found.deviation[n]
    in_unit = set(kinds) == {"unit"}
    white = np.where(found.low < found.high, found.high, found.low + 1)
    return LinearScale(
        tuple(units),
        tuple(low.tolist()),
        tuple(high.tolist()),
        clipped=in_unit,
        black=None if in_unit else tuple(found.low.tolist()),
        white=None if in_unit else tuple(white.tolist()),
        names=tuple(names),
    )


MARKERS = (
    *(-32768, -32767, 32767, 65535, -99, -99.9, -888, -999, -999.9, -1000, -9999, -9999.9, -77777),
    *(-99999, -9.99e8, -2e9, 999, 9999, 99999, 999999, 1e15, 1e20, 9.999e20, 1e30, -1e30, -1e34),
)
"""Numbers that often stand for missing values."""


def marker_in(low: float, high: float) -> float | None:
    """Return the smallest or the largest value of a channel if it often marks missing values.

    Values of uint8 and of frames in [0, 1] are none of them.
    """
    return next((end for end in (low, high) if np.isclose(end, MARKERS, rtol=1e-6).any()), None)


def _check_range(kind, name, lowest, highest):
    if not lowest <= highest:
        raise MimError(f"{name}: expected values, got only missing ones. Choose --variables.")
    if kind == "unit" and not 0 <= lowest <= highest <= 1:
        expected = "values in [0, 1] for --scale=unit, or --scale=minmax"
    elif kind in ("minmax", "standard") and not lowest < highest:
        expected = f"values that differ for --scale={kind}, or --scale=none"
    elif not math.isfinite(lowest) or not math.isfinite(highest):
        expected = "finite values, or NaN for missing ones"
    else:
        return
    raise MimError(f"{name}: expected {expected}, in training, got {lowest:g} to {highest:g}.")


def _sampled(source):
    return np.linspace(0, source.size - 1, min(_SAMPLED, source.size)).astype(int)


def _statistics(source, every):
    found = ValueStatistics(source.shape[-1])
    step = max(1, _VALUES_AT_A_TIME // math.prod(source.shape[1:]))
    if not every:
        sampled = _sampled(source)
        for number, index in enumerate(itertools.chain(sampled, range(source.size))):
            # All that was sampled may be missing, such as fields of a radar that is off.
            if number >= len(sampled) and found.count.all():
                break
            found.update(source.sequences([index]))
        return found
    used = list(source.frames_in_windows())
    frames = sum(len(positions) for _, positions in used)
    with tqdm(total=frames, desc="fitting the scale", unit="frame", leave=False) as progress:
        for recording, positions in used:
            for first in range(0, len(positions), step):
                part = positions[first : first + step]
                found.update(recording.read(part))
                progress.update(len(part))
    return found


def warn_of_kept_scale(scale: LinearScale | None, data: DataConfig) -> None:
    """Log a warning if a scale was asked for, but weights to start from keep their own."""
    if scale and data.scale != "auto":
        logging.warning(
            "--scale=%s has no effect: the weights keep the scale of their training (%s).",
            data.scale,
            scale.words,
        )


def check_units(scale: LinearScale, names: tuple[str, ...], units: tuple[str, ...]) -> None:
    """Raise `MimError` if channels are in other units than those of the weights' `scale`.

    The names of the training in another order raise it, too. Other names log a warning.
    """
    expected = scale.unit if isinstance(scale.unit, tuple) else (scale.unit,) * len(units)
    if not are_same_units(expected, units):
        theirs, ours = (
            ", ".join(f"{name} in {unit or 'no unit'}" for name, unit in zip(*each, strict=False))
            for each in ((scale.names or names, expected), (names, units))
        )
        raise MimError(
            f"The weights were trained on {theirs}, the data has {ours}. Convert the data, or "
            "choose --variables."
        )
    if scale.names in ((), tuple(names)):
        return
    ours, theirs = ",".join(scale.names), ",".join(names)
    if set(scale.names) == set(names):
        raise MimError(
            f"Expected --variables={ours}, as in the training of the weights, got {theirs}."
        )
    logging.warning("The weights were trained on %s, the data has %s in their place.", ours, theirs)


class ScaledSource(WrappedSource):
    """The frames of a source of physical values, which a scale maps.

    Raises, when read, `MimError` for values that are infinite, or outside [0, 1] where the scale
    is for values that are in it already.
    """

    scale: LinearScale

    def __init__(self, source: SequenceSource, scale: LinearScale):
        super().__init__(source)
        self.scale, self.has_missing = scale, True
        if source.climatology is not None:
            self.climatology = scale.to_unit(source.climatology)

    def sequences(self, indices: Indices) -> np.ndarray:
        values = super().sequences(indices)
        in_unit = self.scale.is_identity
        wrong = (values < 0) | (values > 1) if in_unit else np.isinf(values)
        if wrong.any():
            expected = "in [0, 1] for --scale=unit" if in_unit else "finite or NaN"
            place = np.asarray(indices)[np.argwhere(wrong)[0][0]]
            raise MimError(
                f"Expected values {expected}, got {values[wrong][0]:g} in sequence {place}."
            )
        return self.scale.to_unit(values)

    def describe(self) -> dict:
        return super().describe() | {"scale": self.scale.as_json()}
