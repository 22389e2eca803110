import numpy as np
import pytest

from mim_tf.data.windows import Recording, WindowSource
from mim_tf.errors import MimError


class Counting(Recording):
    """Frame t is all (100 number + t) / 1000."""

    def __init__(self, number, length):
        self.name = f"recording {number}"
        self.number, self.length = number, length

    def read(self, positions):
        levels = (100 * self.number + np.asarray(positions)) / 1000
        return np.broadcast_to(levels[:, None, None, None], (len(positions), 2, 3, 1))


def source(lengths, total_length, **settings):
    recordings = [Counting(number, length) for number, length in enumerate(lengths)]
    return WindowSource(recordings, (2, 3, 1), total_length, **settings)


def numbers(windows, indices):
    return np.rint(windows.sequences(indices)[:, :, 0, 0, 0] * 1000).astype(int).tolist()


def test_every_window_of_every_recording():
    windows = source([4, 2, 3], 3)
    assert (windows.size, windows.shape) == (3, (3, 2, 3, 1))
    assert numbers(windows, range(3)) == [[0, 1, 2], [1, 2, 3], [200, 201, 202]]
    assert numbers(windows, [2, 0]) == [[200, 201, 202], [0, 1, 2]]


def test_stride_and_interval():
    assert numbers(source([9], 2, stride=3, interval=4), range(2)) == [[0, 4], [3, 7]]


def test_given_starts():
    windows = source([9, 9], 2, interval=2, starts=[(1, 3), (0, 6)])
    assert numbers(windows, range(2)) == [[103, 105], [6, 8]]


def test_no_indices_give_no_sequences():
    assert source([2], 2).sequences([]).shape == (0, 2, 2, 3, 1)


def test_the_record_names_the_recordings():
    assert source([2, 1], 2, description={"source": "test"}).describe() == {
        "source": "test",
        "sequences": 1,
        "shape": [2, 2, 3, 1],
        "recordings": ["recording 0", "recording 1"],
    }


def test_recordings_that_are_too_short_name_the_longest():
    with pytest.raises(MimError, match=r"at least 7 frames .* 2 recordings, the longest of 6"):
        source([5, 6], 4, interval=2)
