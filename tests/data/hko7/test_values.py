import numpy as np
import pytest

from mim_tf.data.sets.hko7 import RAIN, dbz_of_rain, rain_of_dbz


def test_rain_follows_from_reflectivity():
    # Z = 58.53 R^1.56
    assert rain_of_dbz(10 * np.log10(58.53)) == pytest.approx(1)
    assert rain_of_dbz(10 * np.log10(58.53 * 10**1.56)) == pytest.approx(10)
    dbz = np.arange(-10.0, 60)
    np.testing.assert_allclose(dbz_of_rain(rain_of_dbz(dbz)), dbz, atol=1e-9)
    # The thresholds of the benchmark as levels of its pictures.
    unit = RAIN.to_unit([0.5, 2, 5, 10, 30])
    assert (unit * 255).round().tolist() == [84, 118, 141, 158, 185]
