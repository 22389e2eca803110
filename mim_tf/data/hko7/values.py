"""Reflectivity and rain rates of HKO-7."""

import numpy as np

from mim_tf.data.conversion import ConvertedScale
from mim_tf.data.scale import LinearScale

DBZ = LinearScale("dBZ", -10, 60)
A, B = 58.53, 1.56  # of Z = A R^B


def rain_of_dbz(dbz: np.ndarray) -> np.ndarray:
    """Rain rate in mm/h of reflectivity in dBZ."""
    return (10 ** (np.asarray(dbz) / 10) / A) ** (1 / B)


def dbz_of_rain(rain: np.ndarray) -> np.ndarray:
    """Reflectivity in dBZ of rain rates in mm/h; minus infinity of none."""
    with np.errstate(divide="ignore"):
        return 10 * np.log10(A) + 10 * B * np.log10(np.asarray(rain, np.float64))


RAIN = ConvertedScale("mm/h", DBZ, rain_of_dbz, dbz_of_rain)
