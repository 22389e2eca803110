"""Scales fitted to values, and sources whose values they map."""

import math

import numpy as np
from absl import logging
from tqdm import tqdm

from mim_tf.config import DataConfig
from mim_tf.data.source import Indices, SequenceSource, take_over
from mim_tf.data.windows import WindowSource
from mim_tf.errors import MimError
from mim_tf.values.scale import LinearScale

_VALUES_AT_A_TIME = 2**23
_SAMPLED = 8
"""Sequences that say what pictures show where nothing is fitted."""


class ValueStatistics:
    """Count, mean, deviation and range of each channel, gathered part by part.

    NaN is missing and left out. Reference: Chan, Golub and LeVeque, 1979, for merging moments.

    Attributes:
        count, mean, low, high: `[C]`, float64.
    """

    def __init__(self, channels: int):
        self.count, self.mean, self._squares = np.zeros((3, channels))
        self.low, self.high = np.full(channels, np.inf), np.full(channels, -np.inf)

    def update(self, values: np.ndarray) -> None:
        """Adds `values` `[..., C]`."""
        for channel in range(values.shape[-1]):
            known = values[..., channel]
            known = known[~np.isnan(known)].astype(np.float64)
            if known.size:
                with np.errstate(invalid="ignore"):  # infinity
                    self._add(channel, known)

    def _add(self, channel, values):
        size, mean = values.size, values.mean()
        before, total = self.count[channel], self.count[channel] + size
        change = mean - self.mean[channel]
        self._squares[channel] += np.square(values - mean).sum() + change**2 * before * size / total
        self.mean[channel] += change * size / total
        self.count[channel] = total
        self.low[channel] = min(self.low[channel], values.min())
        self.high[channel] = max(self.high[channel], values.max())

    @property
    def deviation(self) -> np.ndarray:
        """Standard deviation of each channel, NaN without values."""
        with np.errstate(invalid="ignore"):
            return np.sqrt(self._squares / self.count)


def fit_scale(
    source: WindowSource, kinds: tuple[str, ...], names: tuple[str, ...], units: tuple[str, ...]
) -> LinearScale:
    """The scale that maps each channel's values as its kind says, known from all frames.

    minmax: the lowest is 0, the highest 1; standard: the mean is 0, a standard deviation above it
    1; none and unit: as they are. Every frame that is in a window is read and counted once; only
    some, where nothing is to be fitted. Pictures show the lowest value that was read black and the
    highest white.

    Args:
        source: of the training split, with physical values, NaN where one is missing.
        kinds: one for all channels or one for each.
        names: of the channels, for messages too; one for each.
        units: of the channels.

    Raises:
        MimError: for another number of kinds, and for a channel without two different values.
    """
    channels = source.shape[-1]
    if len(kinds) not in (1, channels):
        raise MimError(
            f"Expected one --scale, or one for each of the {channels} channels "
            f"({', '.join(names)}), received {len(kinds)}: {','.join(kinds)}."
        )
    kinds = kinds * (channels // len(kinds))
    found = _statistics(source, every=bool({"minmax", "standard"} & set(kinds)))
    low, high = np.zeros(channels), np.ones(channels)
    for channel, kind in enumerate(kinds):
        lowest, highest = found.low[channel], found.high[channel]
        if not lowest <= highest:
            raise MimError(
                f"{names[channel]}: expected values in the training split, received only missing "
                "ones. Leave it out of --variables, or train on another part."
            )
        _check_range(kind, names[channel], lowest, highest)
        if kind == "minmax":
            low[channel], high[channel] = lowest, highest
        if kind == "standard":
            mean = found.mean[channel]
            low[channel], high[channel] = mean, mean + found.deviation[channel]
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


def _check_range(kind, name, lowest, highest):
    if kind == "unit" and not 0 <= lowest <= highest <= 1:
        raise MimError(
            f"{name}: expected values in [0, 1], because of --scale=unit, received {lowest:g} to "
            f"{highest:g} in the training split. Say --scale=minmax or --scale=standard."
        )
    if kind in ("minmax", "standard") and not lowest < highest:
        raise MimError(
            f"{name}: expected values that differ, received {lowest:g} in all of the training "
            "split. Leave the channel out, or say --scale=none."
        )
    if not math.isfinite(lowest) or not math.isfinite(highest):
        raise MimError(
            f"{name}: expected finite values or NaN for missing ones, received {lowest:g} to "
            f"{highest:g} in the training split. Replace what is infinite."
        )


def _statistics(source, every):
    found = ValueStatistics(source.shape[-1])
    step = max(1, _VALUES_AT_A_TIME // math.prod(source.shape[1:]))
    if not every:
        for index in np.linspace(0, source.size - 1, min(_SAMPLED, source.size)).astype(int):
            found.update(source.sequences([index]))
        return found
    used = list(source.frames_in_windows())
    frames = sum(len(positions) for _, positions in used)
    with tqdm(total=frames, desc="fitting the scale", unit="frame", leave=False) as progress:
        for recording, positions in used:
            for part in np.split(positions, range(step, len(positions), step)):
                found.update(recording.read(part))
                progress.update(len(part))
    return found


def warn_of_kept_scale(scale: LinearScale | None, data: DataConfig) -> None:
    """Warns if a scale was asked for, but weights to start from have theirs, which is kept."""
    if scale and data.scale != "auto":
        logging.warning(
            "--scale=%s fits nothing here: the weights keep the scale of their training (%s).",
            data.scale,
            scale.words,
        )


def check_units(scale: LinearScale, names: tuple[str, ...], units: tuple[str, ...]) -> None:
    """Raises `MimError` if channels are not in the units of a scale that weights came with.

    Args:
        scale: of the weights.
        names: of the channels of the data.
        units: of the channels of the data.
    """
    expected = scale.unit if isinstance(scale.unit, tuple) else (scale.unit,) * len(units)
    if len(expected) != len(units):
        raise MimError(
            f"The weights were trained on {len(expected)} channels ({', '.join(scale.names)}), "
            f"received {len(units)} ({', '.join(names)}). Choose them with --variables."
        )
    for name, ours, theirs in zip(names, units, expected, strict=True):
        if ours != theirs:
            raise MimError(
                f"{name}: expected values in {theirs or 'no unit'}, as the weights were trained "
                f"on, received {ours or 'no unit'}. Convert the data, or choose --variables."
            )


class ScaledSource(SequenceSource):
    """Frames of a source whose values are physical, NaN where one is missing.

    Args:
        source: of the values.
        scale: from them to frames.

    Raises, when read, `MimError` for values that are infinite, or outside [0, 1] where the scale
    says that values are in it already.
    """

    scale: LinearScale

    def __init__(self, source: SequenceSource, scale: LinearScale):
        take_over(self, source)
        self.source = source
        self.size = source.size
        self.scale, self.has_missing = scale, True
        if source.climatology is not None:
            self.climatology = scale.to_unit(source.climatology)
        is_identity = not np.any(scale.low) and np.all(np.equal(scale.high, 1))
        self._in_unit = scale.clipped and is_identity

    def sequences(self, indices: Indices) -> np.ndarray:
        values = self.source.sequences(indices)
        wrong = (values < 0) | (values > 1) if self._in_unit else np.isinf(values)
        if wrong.any():
            expected = "in [0, 1], because of --scale=unit," if self._in_unit else "finite"
            raise MimError(
                f"Expected values {expected} or NaN for missing ones, received "
                f"{values[wrong][0]:g} in sequence "
                f"{np.asarray(indices)[np.argwhere(wrong)[0][0]]}. Replace it."
            )
        return self.scale.to_unit(values)

    def groups(self, indices: Indices) -> np.ndarray:
        return self.source.groups(indices)

    def describe(self) -> dict:
        return self.source.describe() | {"scale": self.scale.as_json()}
