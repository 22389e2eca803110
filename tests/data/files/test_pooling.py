import numpy as np
import pytest

from mim_tf.data.files.images import pooled, pooling_factors
from mim_tf.errors import MimError

FRAMES = np.arange(1.0, 25).reshape(1, 4, 6).astype(np.float32)


@pytest.mark.parametrize(
    ("largest", "expected"), [(True, [[9, 12], [21, 24]]), (False, [[5, 8], [17, 20]])]
)
def test_squares_become_their_largest_value_or_their_mean(largest, expected):
    nowhere = np.zeros(FRAMES.shape, bool)
    values, missing = pooled(FRAMES, nowhere, (2, 3), largest)
    np.testing.assert_array_equal(values[0], expected)
    assert values.dtype == np.float32
    assert not missing.any()


@pytest.mark.parametrize(("largest", "value"), [(True, 9), (False, (7 + 8 + 9) / 3)])
def test_only_what_is_known_counts(largest, value):
    missing = np.zeros(FRAMES.shape, bool)
    missing[0, 0, :3] = missing[0, :2, 3:] = True
    values, gone = pooled(FRAMES, missing, (2, 3), largest)
    assert (values[0, 0, 0], values[0, 0, 1]) == (value, 0)
    assert gone.tolist() == [[[False, True], [False, False]]]


def test_a_size_that_does_not_divide_is_refused():
    assert pooling_factors("a", (384, 384), (128, 96)) == (3, 4)
    with pytest.raises(MimError, match=r"a: frames of 384 x 384.*received 100 x 128"):
        pooling_factors("a", (384, 384), (100, 128))
