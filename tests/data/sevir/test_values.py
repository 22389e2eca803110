import numpy as np
import pytest

from mim_tf.data.sets.sevir import levels_of_vil, vil_of_levels


@pytest.mark.parametrize(
    ("level", "vil"),
    [(0, 0), (5, 0), (6, 4 / 90.66), (18, 16 / 90.66), (19, 0.188445), (83.9, 1), (254, 79.3)],
)
def test_levels_stand_for_vil(level, vil):
    assert vil_of_levels(np.array(level)) == pytest.approx(vil, rel=1e-3)


def test_vil_has_levels():
    levels = np.array([0, *range(6, 17), *range(19, 255)])
    np.testing.assert_allclose(levels_of_vil(vil_of_levels(levels)), levels)
