"""Scales fitted to the training split, and the sources they map."""

import numpy as np
import pytest

from mim_tf.config import DataConfig
from mim_tf.data import scale_fit
from mim_tf.data.dataset import open_source
from mim_tf.data.scale_fit import ScaledSource, check_units, fit_scale, warn_of_kept_scale
from mim_tf.data.source import WindowSource
from mim_tf.errors import MimError
from mim_tf.values.scale import RAIN_SCALES, LinearScale
from tests.data_examples import model_for
from tests.small_sources import Frames


@pytest.mark.parametrize("scale", [LinearScale("dBZ", 0, 70), RAIN_SCALES["dbz"]])
def test_levels_are_the_range_of_a_clipped_scale(tmp_path, scale):
    levels = np.random.default_rng(0).integers(0, 256, (10, 4, 8, 8), np.uint8)
    np.save(tmp_path / "a.npy", levels)
    data, model = DataConfig("array", str(tmp_path / "a.npy")), model_for((8, 8, 1), scale=scale)
    source = open_source(data, model, "all")
    assert source.scale == scale
    np.testing.assert_array_equal(source.sequences([3])[0, ..., 0], levels[3] / np.float32(255))


@pytest.mark.parametrize(("dtype", "warns"), [(np.uint8, False), (np.float32, True)])
def test_arrays_are_rain_only_in_mm_per_hour(tmp_path, dtype, warns, caplog):
    np.save(tmp_path / "a.npy", np.full((10, 4, 8, 8), 9, dtype))
    data = DataConfig("array", str(tmp_path / "a.npy"), scale="dbz")
    if warns:
        open_source(data, model_for((8, 8, 1)), "train")
        assert "mm/h" in caplog.text
    else:
        with pytest.raises(MimError, match="floats, rain in mm/h"):
            open_source(data, model_for((8, 8, 1)), "train")


def source_of(*recordings):
    return WindowSource(map(Frames, recordings), recordings[0].shape[1:], 3)


def temperatures_and_winds(seed=0):
    generator = np.random.default_rng(seed)
    means, deviations = np.float32([280, 3]), np.float32([10, 0.5])
    frames = generator.standard_normal((40, 4, 5, 2), np.float32) * deviations + means
    frames[generator.random(frames.shape) < 0.1] = np.nan
    return frames


def fitted(source, *kinds):
    return fit_scale(source, kinds, ("t2m", "u10"), ("K", "m s-1"))


def test_standard_is_of_all_known_values_however_they_are_read(monkeypatch):
    monkeypatch.setattr(scale_fit, "_VALUES_AT_A_TIME", 600)
    first, second = temperatures_and_winds(0), temperatures_and_winds(1) + 20
    scale = fitted(source_of(first, second), "standard")
    together = np.concatenate([first, second]).astype(np.float64)
    mean, deviation = np.nanmean(together, (0, 1, 2)), np.nanstd(together, (0, 1, 2))
    np.testing.assert_allclose(scale.low, mean, rtol=1e-12)
    np.testing.assert_allclose(scale.high, mean + deviation, rtol=1e-12)
    assert (scale.names, scale.unit, scale.clipped) == (("t2m", "u10"), ("K", "m s-1"), False)
    np.testing.assert_allclose(scale.black, np.nanmin(together, (0, 1, 2)))
    np.testing.assert_allclose(scale.white, np.nanmax(together, (0, 1, 2)))


def test_each_channel_can_have_its_kind():
    frames = temperatures_and_winds()
    scale = fitted(source_of(frames), "minmax", "none")
    assert scale.low == (np.nanmin(frames[..., 0]), 0)
    assert scale.high == (np.nanmax(frames[..., 0]), 1)


def test_values_are_found_wherever_they_are():
    frames = np.full((400, 4, 5, 2), np.nan, np.float32)
    frames[85], frames[300] = 2, 7
    assert fitted(source_of(frames), "none").black == (2, 2)


@pytest.mark.parametrize(
    ("kinds", "change", "named"),
    [
        (("minmax",), lambda f: f * 0, "t2m: expected values that differ"),
        (("standard",), lambda f: f * np.nan, "t2m: expected values, .* --variables"),
        (("unit",), lambda f: f, r"t2m: expected values in \[0, 1\] for --scale=unit"),
        (("none",), lambda f: f / 0, "t2m: expected finite values"),
        (("none", "none", "unit"), lambda f: f, "--scale"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_values_that_no_scale_can_be_fitted_to(kinds, change, named):
    with pytest.raises(MimError, match=named):
        fitted(source_of(change(temperatures_and_winds())), *kinds)


@pytest.mark.parametrize(
    ("kind", "value"), [("unit", 1.5), ("unit", -0.1), ("none", np.inf), ("standard", -np.inf)]
)
def test_values_outside_are_refused_when_they_are_read(kind, value):
    frames = np.random.default_rng(0).random((9, 2, 2, 2), np.float32)
    frames[0, 0, 0] = np.nan
    scale = fitted(source_of(frames), kind)
    frames[6, 1, 1, 0] = value
    scaled = ScaledSource(source_of(frames), scale)
    assert np.isnan(scaled.sequences([0])).sum() == 2
    with pytest.raises(MimError, match="sequence 5"):
        scaled.sequences([2, 5])


@pytest.mark.parametrize(("value", "warns"), [(-999, True), (9999, True), (-1e-6, False)])
def test_impossible_rain_may_mark_missing_values(caplog, value, warns):
    rain = np.random.default_rng(0).gamma(1, 3, (9, 4, 5, 1)).astype(np.float32)
    rain[4] = value
    fit_scale(source_of(rain), ("log",), ("rain",), ("mm/h",))
    assert ("rain" in caplog.text) == warns


@pytest.mark.parametrize(
    ("starts", "warns"), [((), False), ((0,), True), ((0, 24), True)], ids=["rates", "sum", "days"]
)
def test_sums_since_a_start_are_told(caplog, starts, warns):
    rain = np.random.default_rng(0).gamma(1, 1, (48, 4, 5, 1)).astype(np.float32)
    rain[:, 0, 0] = np.nan
    if starts:
        rain = np.concatenate([part.cumsum(0) for part in np.split(rain, starts)])
    fit_scale(source_of(rain), ("log",), ("rain",), ("mm/h",))
    assert ("rain hardly ever decreases" in caplog.text) == warns


def test_a_scale_that_weights_bring_along_is_kept_with_a_warning(caplog):
    scale = fitted(source_of(temperatures_and_winds()), "standard")
    warn_of_kept_scale(None, DataConfig("grid", scale="minmax"))
    warn_of_kept_scale(scale, DataConfig("grid"))
    assert not caplog.records
    warn_of_kept_scale(scale, DataConfig("grid", scale="minmax"))
    assert "--scale=minmax" in caplog.text


def test_channels_of_one_unit_are_known_by_their_names(caplog):
    winds = fit_scale(
        source_of(temperatures_and_winds()), ("none",), ("u10", "v10"), ("m s-1",) * 2
    )
    check_units(winds, winds.names, winds.unit)
    check_units(winds, winds.names, ("m/s", "m s**-1"))
    assert not caplog.records
    with pytest.raises(MimError, match="km/s"):
        check_units(winds, winds.names, ("m/s", "km/s"))
    check_units(winds, ("u100", "v100"), winds.unit)
    assert "u100" in caplog.text
    with pytest.raises(MimError, match="--variables"):
        check_units(winds, ("v10", "u10"), winds.unit)


def test_an_array_of_any_range_has_the_scale_of_its_training_split(tmp_path):
    path = tmp_path / "kelvin.npy"
    values = np.random.default_rng(0).normal(280, 5, (10, 4, 8, 8)).astype(np.float32)
    values[0] += 100
    np.save(path, values)
    data, model = DataConfig("array", path, scale="minmax"), model_for((8, 8, 1))
    train, test = (open_source(data, model, split) for split in ("train", "test"))
    frames = train.sequences(range(train.size))
    assert (train.size, frames.min(), frames.max()) == (8, 0, 1)
    assert (train.scale, train.scale.names) == (test.scale, ("channel1",))
    again = test.scale.to_physical(test.sequences([0]))[0, ..., 0]
    assert np.abs(values - again).max(axis=(1, 2, 3)).min() < 1e-3
    # Without --scale values have to be in [0, 1], unless weights have a scale for them.
    plain = DataConfig("array", path)
    with pytest.raises(MimError, match=r"kelvin.npy"):
        open_source(plain, model, "test")
    found = open_source(plain, model_for((8, 8, 1), scale=train.scale), "test")
    np.testing.assert_array_equal(found.sequences([0]), test.sequences([0]))


def test_levels_are_not_taken_for_physical_values(tmp_path):
    levels = np.random.default_rng(0).integers(0, 255, (10, 4, 8, 8), np.uint8)
    np.save(tmp_path / "levels.npy", levels)
    np.save(tmp_path / "floats.npy", levels.astype(np.float32))
    both = f"{tmp_path}/levels.npy,{tmp_path}/floats.npy"
    with pytest.raises(MimError, match=r"levels\.npy\[0\].*--scale=minmax"):
        open_source(DataConfig("array", both, scale="minmax"), model_for((8, 8, 1)), "train")
    scales = {}
    for name in ("levels", "floats"):
        data = DataConfig("array", tmp_path / f"{name}.npy", scale="minmax")
        scales[name] = open_source(data, model_for((8, 8, 1)), "train").scale
    data = DataConfig("array", tmp_path / "levels.npy")
    with pytest.raises(MimError, match=r"levels\.npy\[.\]: expected floats"):
        open_source(data, model_for((8, 8, 1), scale=scales["floats"]), "test")
    assert open_source(data, model_for((8, 8, 1), scale=scales["levels"]), "test").size == 1


def test_an_array_that_seems_to_be_in_another_unit_than_the_training(tmp_path, caplog):
    values = np.random.default_rng(0).normal(280, 5, (10, 4, 8, 8))
    for name, change in (("kelvin", 0), ("celsius", -273.15)):
        np.save(tmp_path / f"{name}.npy", values + change)
    data, model = DataConfig("array", tmp_path / "kelvin.npy", scale="minmax"), model_for((8, 8, 1))
    model = model_for((8, 8, 1), scale=open_source(data, model, "train").scale)
    open_source(data, model, "test")
    assert not caplog.records
    open_source(DataConfig("array", tmp_path / "celsius.npy", scale="minmax"), model, "test")
    assert "expected values" in caplog.text


def test_other_parts_of_the_same_video_do_not_count(tmp_path):
    values = np.arange(60, dtype=np.float32).reshape(1, 60, 1, 1, 1)
    np.save(tmp_path / "a.npy", np.tile(values, (1, 1, 8, 8, 1)))
    fractions = {"valid_fraction": 0.2, "test_fraction": 0.2}
    data = DataConfig("array", tmp_path / "a.npy", scale="minmax", **fractions)
    model = model_for((8, 8, 1), 5)
    (scale,) = {open_source(data, model, split).scale for split in ("train", "valid", "test")}
    assert (scale.low, scale.high) == ((0.0,), (35.0,))
