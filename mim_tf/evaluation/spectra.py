"""Power spectra of truth and prediction: how much of the detail is left."""

import dataclasses
import functools

import numpy as np
from scipy.fft import dctn

from mim_tf.data.scale import UNIT, LinearScale
from mim_tf.evaluation.accumulated import AccumulatedScores

FINE = 8
"""Wavelengths in pixels up to which `power_ratio` looks."""

MOST_RINGS = 24


@dataclasses.dataclass(frozen=True, eq=False)
class Rings:
    """Rings of wavenumbers, from the longest waves to the shortest.

    Attributes:
        order: places in a flattened frame, sorted by wavenumber.
        starts: of the rings in `order`.
        counts: wavenumbers in each.
        wavelength: of each, in pixels.
    """

    order: np.ndarray
    starts: np.ndarray
    counts: np.ndarray
    wavelength: np.ndarray


@functools.cache
def rings(height: int, width: int) -> Rings:
    """Up to 24 rings of frames of a size, from twice their shorter side down to 2 pixels."""
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
    """Power of frames `[..., H, W, C]` in each of the `rings`, `[K, ...]`, mean over channels.

    Of the cosine transform, which takes no frame for periodic, and is orthonormal: the power of
    white noise is its variance, at every wavelength.

    Reference: Denis, Cote and Laprise, "Spectral Decomposition of Two-Dimensional Atmospheric
    Fields on Limited-Area Domains", 2002.
    """
    *leading, height, width, _ = frames.shape
    found = rings(height, width)
    power = np.square(dctn(frames.astype(np.float64), axes=(-3, -2), norm="ortho")).mean(axis=-1)
    power = power.reshape(*leading, height * width)[..., found.order]
    return np.moveaxis(np.add.reduceat(power, found.starts, axis=-1) / found.counts, -1, 0)


class PowerSpectra(AccumulatedScores):
    """`power_ratio`: power of the prediction by that of the truth, at up to 8 pixels of wavelength.

    1 at best; below it the prediction is blurred, above it noisy. None where the truth has no
    power there, or the frames are too small for waves. Powers are summed over sequences first.
    Where a value is missing, truth and prediction are both set to 0. `details` has the spectra
    themselves.

    Args:
        scale: of the frames; None: they are in [0, 1].
    """

    _rings: Rings | None = None

    def __init__(self, scale: LinearScale | None = None):
        super().__init__(scale)
        self.scale = scale or UNIT

    def _addends(self, truth, prediction):
        self._rings = rings(*truth.shape[2:4])
        missing = np.isnan(truth)
        pair = {"truth": truth, "prediction": prediction}
        return {name: radial_power(np.where(missing, 0, part)) for name, part in pair.items()}

    def _scores(self, sums, sequences):
        weights = self._rings.counts * (self._rings.wavelength <= FINE)
        truth, prediction = (
            np.tensordot(weights, sums[name], axes=1) for name in ("truth", "prediction")
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            return {"power_ratio": np.where(truth > 0, prediction / truth, np.nan)}

    def details(self) -> dict:
        """`{"spectra": {"wavelength": [K], "truth": [horizon][K], "prediction": [horizon][K]}}`."""
        spectra = {name: np.mean(values, axis=1).T.tolist() for name, values in self._all().items()}
        return {"spectra": {"wavelength": self._rings.wavelength.tolist(), **spectra}}

    def merge(self, other: AccumulatedScores) -> None:
        super().merge(other)
        if isinstance(other, PowerSpectra):
            self._rings = self._rings or other._rings
