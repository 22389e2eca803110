import numpy as np
import pytest

from mim_tf.layers import DepthToSpace, SpaceToDepth
from tests.layers import oracle
from tests.layers.cells import same_after_serialization


def test_order_is_patch_row_then_patch_column_then_channel():
    # The value of a pixel says where it is: row, column, channel as decimal digits.
    frame = np.array(
        [[[100 * row + 10 * column + c for c in (1, 2)] for column in range(6)] for row in range(4)]
    )
    got = np.asarray(SpaceToDepth(2)(frame[None].astype(np.float32)))
    assert got.shape == (1, 2, 3, 8)
    assert got[0, 0, 0].tolist() == [1, 2, 11, 12, 101, 102, 111, 112]
    assert got[0, 1, 2].tolist() == [241, 242, 251, 252, 341, 342, 351, 352]


@pytest.mark.parametrize(("p", "channels"), [(1, 2), (2, 1), (2, 3), (4, 2)])
def test_cut_and_joined_again(p, channels):
    frames = np.random.default_rng(0).random((3, 2 * p, 3 * p, channels), np.float32)
    patches = SpaceToDepth(p)(frames)
    np.testing.assert_array_equal(patches, oracle.space_to_depth(frames, p))
    np.testing.assert_array_equal(DepthToSpace(p)(patches), frames)
    np.testing.assert_array_equal(oracle.depth_to_space(np.asarray(patches), p), frames)


@pytest.mark.parametrize("layer", [SpaceToDepth(2), DepthToSpace(2)])
def test_survives_serialization(layer):
    same_after_serialization(layer, np.random.default_rng(0).random((1, 4, 6, 8), np.float32))
