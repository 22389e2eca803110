import json

import numpy as np
import pytest

from mim_tf.errors import MimError
from mim_tf.values.scale import LinearScale

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


KELVIN_AND_WIND = LinearScale(
    ("K", "m s-1"),
    (280.0, -1.0),
    (290.0, 1.0),
    clipped=False,
    black=(270.0, -3.0),
    white=(300.0, 3.0),
    names=("t2m", "u10"),
)


def test_each_channel_has_its_own_scale():
    values = np.array([[285.0, 0.0], [310.0, -2.0]])
    frames = KELVIN_AND_WIND.to_unit(values)
    np.testing.assert_allclose(frames, [[0.5, 0.5], [3.0, -0.5]])
    np.testing.assert_allclose(KELVIN_AND_WIND.to_physical(frames), values)


def test_a_scale_says_what_its_ends_stand_for():
    assert DBZ.words == "0 is -10 and 1 is 70 dBZ"
    assert KELVIN_AND_WIND.words == "t2m 0 is 280 and 1 is 290 K; u10 0 is -1 and 1 is 1 m s-1"


def test_scales_are_alike_if_they_map_the_same_values():
    assert DBZ.is_like(LinearScale(("dBZ",), (-10.0,), (70.0,), clipped=False))
    for other in (("dBZ", -10, 60), ("dBZ", 0, 70), ("degC", -10, 70)):
        assert not DBZ.is_like(LinearScale(*other))


def test_clipping_follows_the_scale():
    frames = np.float32([[-0.5, 1.5]])
    assert KELVIN_AND_WIND.clip(frames).tolist() == frames.tolist()
    assert DBZ.clip(frames).tolist() == [[0, 1]]


def test_pictures_show_from_black_to_white():
    frames = KELVIN_AND_WIND.to_unit([[270.0, 3.0], [285.0, 0.0], [400.0, -9.0]])
    np.testing.assert_allclose(KELVIN_AND_WIND.shown(frames), [[0, 1], [0.5, 0.5], [1, 0]])
    assert DBZ.shown(np.float32([-1, 0.25, 2])).tolist() == [0, 0.25, 1]


def test_json_makes_the_same_scale_again():
    for scale in (DBZ, KELVIN_AND_WIND):
        assert LinearScale(**json.loads(json.dumps(scale.as_json()))) == scale
    assert DBZ.as_json() == {"unit": "dBZ", "low": -10, "high": 70}


def test_the_scale_of_one_channel():
    assert KELVIN_AND_WIND.of_channel(1) == LinearScale(
        "m s-1", -1.0, 1.0, clipped=False, black=-3.0, white=3.0, names=("u10",)
    )
    assert DBZ.of_channel(0) == DBZ


def test_thresholds_need_one_range():
    with pytest.raises(MimError, match=r"Thresholds need one unit .* received K, m s-1"):
        KELVIN_AND_WIND.check_thresholds([3.0])
