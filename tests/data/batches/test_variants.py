import numpy as np
import pytest

from mim_tf.config import TrainingConfig
from mim_tf.data.batches.order import variants


@pytest.mark.parametrize(
    ("reversals", "expected"),
    [
        ((False, False), [[[0, 1], [2, 3]]]),
        ((True, False), [[[0, 1], [2, 3]], [[1, 0], [3, 2]]]),
        ((False, True), [[[0, 1], [2, 3]], [[2, 3], [0, 1]]]),
        (
            (True, True),
            [[[0, 1], [2, 3]], [[1, 0], [3, 2]], [[2, 3], [0, 1]], [[3, 2], [1, 0]]],
        ),
    ],
)
def test_mirrored_then_backwards_then_both(reversals, expected):
    """Of two frames, one pixel high and two wide."""
    reverse_img, reverse_input = reversals
    config = TrainingConfig(reverse_img=reverse_img, reverse_input=reverse_input)
    frames = np.arange(4).reshape(1, 2, 1, 2, 1)
    made = [frames[index].reshape(2, 2).tolist() for index in variants(config)]
    assert made == expected
    assert len(made) == config.updates_per_iteration
