import numpy as np
import pytest

from mim_tf.data.files.images import FrameFormat
from mim_tf.errors import MimError


def test_a_picture_gets_size_and_channels():
    form = FrameFormat((4, 6, 1), resize=True)
    got = form.convert("a", np.full((9, 3, 3), 50_000, np.uint16))
    assert got.dtype == np.uint8
    # 50000 / 257 = 194.6
    np.testing.assert_array_equal(got, np.full((4, 6, 1), 195))
    assert FrameFormat((9, 3, 3)).convert("a", np.zeros((9, 3, 1), np.uint8)).shape == (9, 3, 3)


def test_another_size_is_an_error_unless_resized():
    with pytest.raises(MimError, match=r"a\.png: expected frames of 4 x 6.*received 9 x 3.*--res"):
        FrameFormat((4, 6, 1)).convert("a.png", np.zeros((9, 3, 1), np.uint8))
    FrameFormat((4, 6, 1)).check_size("a.png", (4, 6))
    FrameFormat((4, 6, 1), resize=True).check_size("a.png", (9, 3))


@pytest.mark.parametrize("channels", [2, 4])
def test_pictures_are_grey_or_rgb(channels):
    with pytest.raises(MimError, match=rf"img_channel = {channels}"):
        FrameFormat((4, 6, channels)).check_picture_channels("a.png")
