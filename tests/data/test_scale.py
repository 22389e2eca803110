import numpy as np
import pytest

from mim_tf.data.scale import LinearScale
from mim_tf.errors import MimError

DBZ = LinearScale("dBZ", -10, 70)


def test_values_are_mapped_linearly_and_clipped():
    np.testing.assert_allclose(DBZ.to_unit([-20, -10, 30, 70, 80]), [0, 0, 0.5, 1, 1])
    assert DBZ.to_unit([30.0]).dtype == np.float32


def test_frames_are_mapped_back_without_clipping():
    np.testing.assert_allclose(DBZ.to_physical([-0.5, 0, 0.5, 1]), [-50, -10, 30, 70])
    assert DBZ.to_physical(np.zeros(1)).dtype == np.float32


@pytest.mark.parametrize("high", [-10, -11, np.nan])
def test_an_empty_range_is_refused(high):
    with pytest.raises(MimError, match="low value below the high one"):
        LinearScale("dBZ", -10, high)
