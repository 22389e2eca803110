import pytest

from mim_tf.evaluation.errors import direction, is_better


@pytest.mark.parametrize(
    ("score", "expected"),
    [("mse", -1), ("rmse_dBZ", -1), ("ssim_uint8", 1), ("FAR_30", -1), ("sharpness", 0)],
)
def test_directions(score, expected):
    assert direction(score) == expected
    assert is_better(score, 1 + expected, 1) == bool(expected)
    assert not is_better(score, 1, 1)
    assert not is_better(score, None, 1)
