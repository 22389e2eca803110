"""Real files, of the package iris-sample-data."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from mim_tf.config import DataConfig
from mim_tf.data.sets.grid.grid import Grid
from mim_tf.data.sets.grid.source import open_fields
from mim_tf.errors import MimError


@pytest.fixture
def samples():
    package = pytest.importorskip("iris_sample_data", reason="real files come with this package")
    return Path(package.path)


def test_annual_temperatures_of_a_360_day_calendar(samples):
    paths = [samples / "A1B_north_america.nc"]
    source = open_fields(paths, "train", True, 20, DataConfig(dataset="grid", coarsen=2))
    record = source.describe()
    assert record["from"] == "1860-06-01"
    assert (record["step"], record["gaps"], record["units"]) == ("1 year", 0, ["K"])
    assert source.shape == (20, 18, 24, 1)
    cells = xr.open_dataset(paths[0])["air_temperature"][3:23].coarsen(
        latitude=2, longitude=2, boundary="trim"
    )
    np.testing.assert_allclose(source.sequences([3])[0, ..., 0], cells.mean().values, rtol=1e-6)
    np.testing.assert_allclose(source.latitude, cells.mean()["latitude"].values)


def test_monthly_temperatures_of_the_sea_with_missing_values_on_land(samples):
    grid = Grid([samples / "ostia_monthly.nc"], region=(-5, 5, 350, 10))
    assert grid.coordinates["longitude"].values[[0, -1]] == pytest.approx([350.4, 369.6], abs=0.5)
    values = grid.read(range(len(grid)))
    assert (len(grid), grid.times.steps()[1]) == (54, "months")
    assert 0 < np.isnan(values).mean() < 1
    assert 290 < np.nanmin(values) < np.nanmax(values) < 306


def test_a_grib_file(samples):
    if importlib.util.find_spec("cfgrib") is None:
        pytest.skip("cfgrib reads GRIB")
    path = samples / "polar_stereo.grib2"
    before = set(samples.iterdir())
    grid = Grid([path])
    assert (grid.variables, grid.units, grid.frame_shape) == (("t",), ("K",), (200, 247, 1))
    values = xr.open_dataset(path, engine="cfgrib", backend_kwargs={"indexpath": ""})["t"].values
    np.testing.assert_array_equal(grid.read([0])[0, ..., 0], values)
    assert set(samples.iterdir()) == before
    with pytest.raises(MimError, match="region needs latitudes along the rows"):
        Grid([path], region=(0, 10, 0, 10))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("SOI_Darwin.nc", "expected a variable over time and two further axes, found SOI_Darwin"),
        ("atlantic_profiles.nc", "further axes depth of 40, lat of 6, lon of 8. Choose a level"),
        ("space_weather.nc", "expected a time axis for Ne"),
    ],
)
def test_real_files_that_are_no_fields_over_time(samples, name, message):
    with pytest.raises(MimError, match=f"{name}: .*{message}"):
        Grid([samples / name])
