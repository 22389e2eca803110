"""Scores of fields: errors weighted by area, anomaly correlation, and power spectra."""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.fft import dctn

from mim_tf.data.batches.order import evaluation_batches, spread
from mim_tf.data.source import SequenceSource
from mim_tf.errors import MimError
from mim_tf.evaluation.statistics import Batch, ScoreKind, Values
from mim_tf.values.scale import LinearScale

MOST_SEQUENCES = 256
"""Sequences that a climatology is the mean of."""


def area_weights(latitudes: ArrayLike) -> np.ndarray:
    """Return cos(latitude) of each row, in degrees `[H]`, divided by the mean: float64 `[H]`."""
    latitudes = np.asarray(latitudes, np.float64)
    if latitudes.ndim != 1 or not (np.abs(latitudes) <= 90).all():
        raise MimError(
            "Expected a latitude from -90 to 90 degrees for each row of a frame, got shape "
            f"{latitudes.shape}, from {latitudes.min()} to {latitudes.max()}."
        )
    weights = np.cos(np.deg2rad(latitudes))
    return weights / weights.mean()


class FieldScores(ScoreKind):
    """RMSE, anomaly correlation and bias of each variable, weighted by area.

    With the prediction f, the truth o, the climatology c and weights w of `area_weights`, and sums
    over the pixels of a frame in all sequences:

    - `RMSE_<variable>`: root of sum w (f - o)^2 / sum w
    - `ACC_<variable>`: sum w (f - c)(o - c) / root of (sum w (f - c)^2 sum w (o - c)^2)
    - `bias_<variable>`: sum w (f - o) / sum w

    Missing values are left out; None where it would be 0 / 0.

    WeatherBench 2 (Rasp et al., 2024) has scores of the same names, but there a row weighs the area
    between its bounds, a difference of sines, ACC is computed for each time and then averaged, and
    the climatology is one of many years for each day and hour.

    Args:
        latitudes: of the rows, degrees, `[H]`.
        climatology: `[H, W, C]`, as values in frames are.
        scale: what values in frames stand for; None: themselves.
        variables: names of the channels.
    """

    def __init__(self, latitudes, climatology, scale: LinearScale | None, variables: Sequence[str]):
        self._scale = scale
        self._weights = area_weights(latitudes)[:, None, None]
        self._climatology = self._physical(climatology).astype(np.float64)
        self._variables = tuple(variables)

    def _physical(self, frames):
        if self._scale is None:
            return np.asarray(frames)
        # Rain is limited as in predictions, because its transforms have no bounds.
        return self._scale.to_physical(
            self._scale.clip(frames) if self._scale.transform else frames
        )

    def addends(self, batch: Batch) -> Values:
        truth, prediction = (
            np.asarray(self._physical(part), np.float64) for part in (batch.truth, batch.prediction)
        )
        weights = np.where(batch.known, self._weights, 0)
        error = np.where(batch.known, prediction - truth, 0)
        # The climatology too can be missing, where nothing was ever known.
        anomalous = np.where(np.isnan(self._climatology), 0, weights)
        anomalies = (part - self._climatology for part in (truth, prediction))
        observed, predicted = (np.where(anomalous > 0, part, 0) for part in anomalies)
        terms = {
            "weight": weights,
            "error": weights * error,
            "squared": weights * error**2,
            "product": anomalous * observed * predicted,
            "observed": anomalous * observed**2,
            "predicted": anomalous * predicted**2,
        }
        return {name: np.moveaxis(part.sum(axis=(2, 3)), -1, 0) for name, part in terms.items()}

    def scores(self, sums: Values) -> Values:
        with np.errstate(invalid="ignore", divide="ignore"):
            found = {
                "RMSE": np.sqrt(sums["squared"] / sums["weight"]),
                "ACC": sums["product"] / np.sqrt(sums["observed"] * sums["predicted"]),
                "bias": sums["error"] / sums["weight"],
            }
        return {
            f"{name}_{variable}": score
            for name, scores in found.items()
            for variable, score in zip(self._variables, scores, strict=True)
        }


def field_scores(source: SequenceSource) -> FieldScores:
    """Return the scores of a source with a latitude for each row."""
    _, height, _, channels = source.shape
    latitudes = np.asarray(source.latitude)
    if len(latitudes) != height:
        raise MimError(f"Expected a latitude for each of {height} rows, got {len(latitudes)}.")
    names = source.names or [str(number) for number in range(1, channels + 1)]
    return FieldScores(latitudes, climatology_of(source), source.scale, names)


def climatology_of(source: SequenceSource) -> np.ndarray:
    """Return the source's own climatology, or the mean of its frames at each pixel, `[H, W, C]`.

    The mean is over up to 256 sequences, evenly spread, and computed once a source; of rain it is
    one of mm/h. For a test split, it is the mean of the truth, as in the code of WeatherBench (Rasp
    et al., 2020). NaN where nothing is known.
    """
    if source.climatology is None:
        scale = source.scale if source.scale and source.scale.transform else None
        total, counted = np.zeros(source.shape[1:]), np.zeros(source.shape[1:], int)
        indices = np.array(spread(source.size or MOST_SEQUENCES, MOST_SEQUENCES))
        for batch in evaluation_batches(len(indices), 8):
            frames = source.sequences(indices[batch])
            frames = scale.to_physical(frames) if scale else frames
            total += np.nansum(frames, axis=(0, 1), dtype=np.float64)
            counted += (~np.isnan(frames)).sum(axis=(0, 1))
        with np.errstate(invalid="ignore"):
            mean = total / counted
        source.climatology = scale.to_unit(mean) if scale else mean
    return source.climatology


# Power spectra of truth and prediction: how much of the detail is left.

FINE = 8
"""Wavelengths in pixels up to which `power_ratio` looks."""

MOST_RINGS = 24


class Rings(NamedTuple):
    """Rings of wavenumbers, from the longest waves to the shortest."""

    order: np.ndarray  # places in a flattened frame, sorted by wavenumber
    starts: np.ndarray  # of the rings in `order`
    counts: np.ndarray  # wavenumbers in each
    wavelength: np.ndarray  # of each, in pixels


@functools.cache
def rings(height: int, width: int) -> Rings:
    """Return up to 24 rings, from twice the shorter side of frames down to 2 pixels."""
    side = min(height, width)
    rows, columns = np.arange(height) * side / height, np.arange(width) * side / width
    number = np.hypot(rows[:, None], columns).ravel()
    edges = np.unique(np.geomspace(1, side, MOST_RINGS + 1).round())
    order = np.argsort(number, kind="stable")
    bounds = np.searchsorted(number[order], edges)
    order, starts = order[bounds[0] : bounds[-1]], bounds[:-1] - bounds[0]
    counts = np.diff(bounds)
    wavelength = 2 * side * counts / np.add.reduceat(number[order], starts)
    return Rings(order, starts, counts, wavelength)


def radial_power(frames: np.ndarray) -> np.ndarray:
    """Return the power of frames `[..., H, W, C]` in each ring, `[K, ...]`, mean over channels.

    It is the power of the cosine transform, which does not take frames as periodic. The transform
    is orthonormal: the power of white noise is its variance, at every wavelength.

    Reference: Denis et al., "Spectral Decomposition of Two-Dimensional Atmospheric Fields", 2002.
    """
    *leading, height, width, _ = frames.shape
    found = rings(height, width)
    power = np.square(dctn(frames.astype(np.float64), axes=(-3, -2), norm="ortho")).mean(axis=-1)
    power = power.reshape(*leading, height * width)[..., found.order]
    return np.moveaxis(np.add.reduceat(power, found.starts, axis=-1) / found.counts, -1, 0)


class PowerSpectra(ScoreKind):
    """`power_ratio`: power of the prediction by that of the truth, at up to 8 pixels of wavelength.

    1 at best; below it the prediction is blurred, above it noisy. None where the truth has no
    power there, or the frames are too small for waves. Powers are summed over sequences first.
    Where a value is missing, both are set to the mean of what is known of the true field.
    `details` has the spectra.
    """

    _rings: Rings

    def addends(self, batch: Batch) -> Values:
        self._rings = rings(*batch.truth.shape[2:4])
        known, total = batch.known, np.where(batch.known, batch.truth, 0).sum(axis=(2, 3))
        mean = (total / np.maximum(known.sum(axis=(2, 3)), 1))[:, :, None, None]
        # With 0 K beside 290 K, the edge of a gap would have more power than all weather.
        truth, prediction = batch.pair(
            "power", lambda frames: radial_power(np.where(known, frames, mean))
        )
        return {"truth": truth, "prediction": prediction}

    def scores(self, sums: Values) -> Values:
        weights = self._rings.counts * (self._rings.wavelength <= FINE)
        truth, prediction = (np.tensordot(weights, sums[n], 1) for n in ("truth", "prediction"))
        with np.errstate(invalid="ignore", divide="ignore"):
            return {"power_ratio": np.where(truth > 0, prediction / truth, np.nan)}

    def details(self, addends: Values) -> dict:
        """`{"spectra": {"wavelength": [K], "truth": [horizon][K], "prediction": [horizon][K]}}`."""
        spectra = {name: np.mean(values, axis=1).T.tolist() for name, values in addends.items()}
        return {"spectra": {"wavelength": self._rings.wavelength.tolist(), **spectra}}
