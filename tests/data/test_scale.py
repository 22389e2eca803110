"""Scales: frames to physical values and back."""

import json

import numpy as np
import pytest
from absl import logging

from mim_tf.errors import MimError
from mim_tf.values.scale import RAIN_SCALES, UNIT, ConvertedScale, LinearScale

DBZ = LinearScale("dBZ", -10, 70)
SQUARE = ConvertedScale("m2", LinearScale("m", 0, 10), np.square, np.sqrt)
KELVIN_AND_WIND = LinearScale(
    ("K", "m s-1"),
    (280.0, -1.0),
    (290.0, 1.0),
    clipped=False,
    black=(270.0, -3.0),
    white=(300.0, 3.0),
    names=("t2m", "u10"),
)


def test_values_are_mapped_linearly_and_clipped_one_way():
    np.testing.assert_allclose(DBZ.to_unit([-20, -10, 30, 70, 80]), [0, 0, 0.5, 1, 1])
    np.testing.assert_allclose(DBZ.to_physical([-0.5, 0, 0.5, 1]), [-50, -10, 30, 70])
    assert DBZ.to_unit([30.0]).dtype == DBZ.to_physical(np.zeros(1)).dtype == np.float32


def test_each_channel_has_its_own_scale():
    values = np.array([[285.0, 0.0], [310.0, -2.0]])
    frames = KELVIN_AND_WIND.to_unit(values)
    np.testing.assert_allclose(frames, [[0.5, 0.5], [3.0, -0.5]])
    np.testing.assert_allclose(KELVIN_AND_WIND.to_physical(frames), values)
    assert KELVIN_AND_WIND.of_channel(1) == LinearScale(
        "m s-1", -1.0, 1.0, clipped=False, black=-3.0, white=3.0, names=("u10",)
    )
    assert DBZ.of_channel(0) == DBZ


def test_a_scale_as_text_and_as_json():
    assert DBZ.words == "0 is -10 and 1 is 70 dBZ"
    assert KELVIN_AND_WIND.words == "t2m 0 is 280 and 1 is 290 K; u10 0 is -1 and 1 is 1 m s-1"
    assert DBZ.as_json() == {"unit": "dBZ", "low": -10, "high": 70}
    for scale in (DBZ, KELVIN_AND_WIND):
        assert LinearScale(**json.loads(json.dumps(scale.as_json()))) == scale


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


def test_converted_values_and_back():
    values = np.array([0, 1, 49, 100])
    np.testing.assert_allclose(SQUARE.to_unit(values), [0, 0.1, 0.7, 1])
    np.testing.assert_allclose(SQUARE.to_physical(SQUARE.to_unit(values)), values, rtol=1e-6)
    np.testing.assert_array_equal(SQUARE.to_physical(np.array([-1, 2, np.nan])), [0, 100, np.nan])


@pytest.mark.parametrize("high", [-10, -11, np.nan])
def test_an_empty_range_is_refused(high):
    with pytest.raises(MimError, match="dBZ"):
        LinearScale("dBZ", -10, high)


@pytest.mark.parametrize("thresholds", [(), (-1,), (100,), (1, 200)])
def test_thresholds_have_to_lie_within_the_range(thresholds):
    SQUARE.check_thresholds((0, 99))
    LinearScale("m2", 0, 100).check_thresholds([0, 99])
    for scale in (SQUARE, LinearScale("m2", 0, 100)):
        with pytest.raises(MimError, match="0 to below 100 m2"):
            scale.check_thresholds(thresholds)
    with pytest.raises(MimError, match="0 to below 1, the range"):
        UNIT.check_thresholds([2])
    with pytest.raises(MimError, match=r"thresholds.*t2m in K, u10 in m s-1.*--variables"):
        KELVIN_AND_WIND.check_thresholds([3.0])


def test_thresholds_beyond_the_training_are_warned_of(monkeypatch):
    warned = []
    monkeypatch.setattr(logging, "log_first_n", lambda _, text, n, *got: warned.append(text % got))
    pictures = {"black": (250.0,), "white": (310.0,), "names": ("t2m",)}
    scale = LinearScale(("K",), (280.0,), (290.0,), clipped=False, **pictures)
    scale.check_thresholds([250, 309])
    assert not warned
    scale.check_thresholds([20])
    assert len(warned) == 1
    assert "--thresholds of 20 lie beyond" in warned[0]
    assert "250 to 310 K" in warned[0]


@pytest.mark.parametrize(
    ("kind", "rain", "frame"),
    [
        # log(1 + rain / 0.1) / log(1 + 2000)
        ("log", 0, 0),
        ("log", 0.1, 0.0911868),
        ("log", 10, 0.6071407),
        ("log", 200, 1),
        # Z = 200 R^1.6: 1 mm/h is 23.0103 dBZ, 200 mm/h 59.8269 dBZ, and 5 dBZ is no rain.
        ("dbz", 0, 0),
        ("dbz", 0.04, 0),
        ("dbz", 1, 18.0103 / 54.8268),
        ("dbz", 200, 1),
    ],
)
def test_scales_of_rain(kind, rain, frame):
    scale = RAIN_SCALES[kind]
    assert scale.to_unit(rain) == pytest.approx(frame, abs=1e-5)
    back = 0 if frame == 0 else rain
    assert scale.to_physical(np.float32(frame)) == pytest.approx(back, rel=2e-4)
    again = LinearScale(**json.loads(json.dumps(scale.as_json())))
    assert again == scale
    assert not scale.is_like(RAIN_SCALES["log" if kind == "dbz" else "dbz"])


def test_a_stored_scale_of_an_unknown_kind_is_refused():
    with pytest.raises(MimError, match="square"):
        LinearScale("mm/h", 0, 1, transform="square")
