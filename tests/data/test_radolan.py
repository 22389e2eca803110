"""Rain: of the package pycomlink, and in the units in which other files have it."""

import importlib.machinery
import importlib.util

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from mim_tf.config import DataConfig
from mim_tf.data.dataset import open_source
from mim_tf.data.sets import radolan
from mim_tf.data.sets.grid.grid import Grid
from mim_tf.errors import MimError
from tests.data_examples import model_for

MODEL = model_for((6, 8, 1), 3)


def write(path, unit="kg", name="rainfall_amount", step="6h", factor=1.0, size=(6, 8)):
    """Rain of 0 to 4 mm in a step, one value missing, from 10 to 20 May 2018."""
    times = pd.date_range("2018-05-10", "2018-05-20 18:00", freq=step)
    rain = np.random.default_rng(0).uniform(0, 4, (len(times), *size)) * factor
    rain[-1, 2, 3] = np.nan
    path.parent.mkdir(parents=True, exist_ok=True)
    fields = {name: (("time", "y", "x"), rain, {"units": unit})}
    xr.Dataset(fields, {"time": times}).to_netcdf(path, engine="h5netcdf")
    return rain


def test_the_file_of_the_package(tmp_path, monkeypatch):
    rain = write(tmp_path / "pycomlink" / radolan.FILE)
    spec = importlib.machinery.ModuleSpec("pycomlink", None)
    spec.submodule_search_locations = [str(tmp_path / "pycomlink")]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    data = DataConfig("radolan")
    sources = {split: open_source(data, MODEL, split) for split in ("train", "valid", "test")}
    # 7, 3 and 1 days of 4 times, and windows of 3 frames that stay in their split.
    assert [source.size for source in sources.values()] == [26, 10, 2]
    test = sources["test"]
    assert (test.units, test.frame_step, test.thresholds) == (("mm/h",), "6 hours", (1, 2, 5, 10))
    found = test.scale.to_physical(test.sequences([1])[0])
    expected = rain[-3:, ..., None] / 6  # mm in six hours
    np.testing.assert_allclose(found[expected > 0.1], expected[expected > 0.1], rtol=1e-4)
    assert np.isnan(found[2, 2, 3, 0])
    assert np.isnan(found).sum() == 1


def test_without_the_package(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MimError, match="pip install pycomlink"):
        open_source(DataConfig("radolan"), MODEL, "train")


@pytest.mark.parametrize(
    ("unit", "per_hour"),
    [
        ("mm/h", 1),
        ("mm h-1", 1),
        ("kg m-2 s-1", 3600),
        ("mm", 1 / 6),
        ("m", 1000 / 6),
        ("kg m^-2", 1 / 6),
        ("kg m**-2 s**-1", 3600),
    ],
)
@pytest.mark.parametrize("scale", ["log", "dbz"])
def test_units_of_rain(tmp_path, unit, per_hour, scale):
    rain = write(tmp_path / "rain.nc", unit, "precipitation", factor=2 / per_hour)
    data = DataConfig("grid", train_data_paths=tmp_path / "rain.nc", scale=scale)
    source = open_source(data, MODEL, "train")
    found = source.scale.to_physical(source.sequences([0])[0])[..., 0]
    expected = rain[:3] * per_hour
    np.testing.assert_allclose(found[expected > 0.1], expected[expected > 0.1], rtol=1e-3)


@pytest.mark.parametrize("unit", ["K", "", "dBZ"])
def test_what_is_no_rain(tmp_path, unit):
    write(tmp_path / "rain.nc", unit)
    data = DataConfig("grid", train_data_paths=tmp_path / "rain.nc", scale="dbz")
    with pytest.raises(MimError, match="rainfall_amount"):
        open_source(data, MODEL, "train")


@pytest.mark.parametrize(
    ("starts", "per_hour"),
    [([-60, -55, -50], 1), ([-5, 0, 5], 12), ([0, 5, 10], 12), ([0, 0, 0], 0)],
)
def test_sums_are_of_the_time_between_the_bounds(tmp_path, starts, per_hour):
    minutes = np.array([0, 5, 10])
    time = "time", minutes, {"units": "minutes since 2020-01-01", "bounds": "time_bnds"}
    rain = ("time", "lat", "lon"), np.ones((3, 2, 2), "f4"), {"units": "mm"}
    bounds = ("time", "nv"), np.stack([starts, minutes], axis=1)
    fields = xr.Dataset({"rain": rain, "time_bnds": bounds}, {"time": time})
    fields.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    if per_hour:
        found = Grid([tmp_path / "a.nc"], as_rain_rate=True).read([0])
        np.testing.assert_allclose(found, per_hour, rtol=1e-6)
        return
    with pytest.raises(MimError, match=r"rain: .*mm over 0 to 10 min"):  # since the first time
        Grid([tmp_path / "a.nc"], as_rain_rate=True)


def test_other_scales_have_no_thresholds_of_rates():
    data = DataConfig("radolan", "rad.nc", scale="minmax")
    assert radolan._as_grid(data).event_thresholds == ()
    assert radolan._as_grid(DataConfig("radolan", "rad.nc")).event_thresholds[0] > 0
