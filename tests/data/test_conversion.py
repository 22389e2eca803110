import numpy as np
import pytest

from mim_tf.errors import MimError
from mim_tf.values.scale import ConvertedScale, LinearScale

SQUARE = ConvertedScale("m2", LinearScale("m", 0, 10), np.square, np.sqrt)


def test_there_and_back():
    values = np.array([0, 1, 49, 100])
    np.testing.assert_allclose(SQUARE.to_unit(values), [0, 0.1, 0.7, 1])
    np.testing.assert_allclose(SQUARE.to_physical(SQUARE.to_unit(values)), values, rtol=1e-6)


def test_frames_outside_are_clipped_and_nan_stays():
    np.testing.assert_array_equal(SQUARE.to_physical(np.array([-1, 2, np.nan])), [0, 100, np.nan])


@pytest.mark.parametrize("thresholds", [(), (-1,), (100,), (1, 200)])
def test_thresholds_have_to_lie_within(thresholds):
    SQUARE.check_thresholds((0, 99))
    with pytest.raises(MimError, match="thresholds from 0 to below 100 m2, the range"):
        SQUARE.check_thresholds(thresholds)
