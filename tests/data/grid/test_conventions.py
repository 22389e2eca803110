"""Missing values, axes, groups and months as files declare them."""

import numpy as np
import pytest
import xarray as xr

from mim_tf.data.sets.grid.grid import Grid
from mim_tf.errors import MimError

HOURS = ("time", np.arange(3), {"units": "hours since 2020-01-01"})


def fields(values, time=HOURS, axes=("time", "lat", "lon"), **attrs):
    """A data set of `rain`, as it is stored."""
    coords = {"time": time}
    for axis, size, unit in zip(axes[1:], values.shape[1:], ("north", "east"), strict=True):
        coords[axis] = (axis, 5.0 * np.arange(size), {"units": f"degrees_{unit}"})
    return xr.Dataset({"rain": (axes, values, attrs)}, coords)


def written(path, dataset, **kwargs):
    """Write a data set without the `_FillValue` that xarray would add."""
    encoding = {"rain": {"_FillValue": None}} if "_FillValue" not in dataset["rain"].attrs else {}
    if path.suffix == ".zarr":
        dataset.to_zarr(path, encoding=encoding, consolidated=False, **kwargs)
    else:
        kwargs.setdefault("engine", "h5netcdf")
        dataset.to_netcdf(path, encoding=encoding, **kwargs)
    return path


@pytest.mark.parametrize(
    ("dtype", "stored", "attrs"),
    [
        ("f4", 9.969209968386869e36, {}),
        ("f8", 9.969209968386869e36, {"missing_value": -1.0}),
        ("i2", -32767, {}),
        ("u2", 65535, {"scale_factor": 0.5}),
        ("i4", -2147483647, {}),
        ("i8", -9223372036854775806, {}),
        # Declared in another dtype than that of the values.
        ("f4", -999.9, {"missing_value": np.float64(-999.9)}),
        ("f8", -999.9, {"missing_value": np.float32(-999.9)}),
        ("f4", 1e20, {"_FillValue": np.float32(1e20), "missing_value": np.float64(-5)}),
        ("i2", -99, {"missing_value": "-99"}),
        ("i2", -99, {"missing_value": np.float32(-99)}),
        # Bounds of valid values.
        ("f4", -999, {"valid_range": np.array([0, 100], "f4")}),
        ("f4", -999, {"valid_min": np.float64(0)}),
        ("f8", 101, {"valid_max": np.array([100.0])}),
        ("i2", 201, {"valid_range": np.array([0, 200], "i2"), "scale_factor": 0.1}),
        ("i2", 201, {"valid_max": np.float32(20.05), "scale_factor": 0.1}),
        ("f4", -999, {"valid_range": "0, 100.5"}),
        ("i2", 201, {"valid_range": "0, 200", "scale_factor": 0.1}),
        ("i2", -2, {"valid_min": np.int16(-1), "scale_factor": -0.1, "add_offset": 7.0}),
        ("i1", -1, {"valid_max": np.int8(-2), "_Unsigned": "true"}),  # 255 above 254
        ("i1", -1, {"missing_value": np.array([-1, -5], "i1"), "_Unsigned": "true"}),
        ("i1", -1, {"missing_value": np.int16(255), "_Unsigned": "true", "scale_factor": 0.5}),
        ("i1", -1, {"valid_max": np.int8(-2), "_Unsigned": "True"}),
        ("i2", -9, {"missing_value": np.int16(-9), "scale_factor": "0.5"}),  # a text
        ("i1", -1, {"_FillValue": np.int8(-5), "missing_value": np.int8(-1), "_Unsigned": "true"}),
    ],
)
def test_missing_values(tmp_path, dtype, stored, attrs):
    values = np.arange(3 * 4 * 5).reshape(3, 4, 5).astype(dtype)
    values[1, 2, 3] = stored
    engine = "h5netcdf" if dtype in ("u2", "i8") else "scipy"
    grid = Grid([written(tmp_path / "a.nc", fields(values, **attrs), engine=engine)])
    expected = values * np.float64(attrs.get("scale_factor", 1)) + attrs.get("add_offset", 0.0)
    expected[1, 2, 3] = np.nan
    np.testing.assert_allclose(grid.read(range(3))[..., 0], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("dtype", "attrs"),
    [
        ("i2", {"missing_value": 1e20}),  # which i2 cannot hold
        ("i2", {"missing_value": np.nan}),
        ("i2", {"missing_value": 0.5}),
        ("f4", {"missing_value": "none", "valid_range": "0 to 10"}),
        ("f4", {"valid_min": np.float32(0), "valid_max": np.float32(59)}),  # both ends are valid
        ("i2", {"valid_range": np.array([0, 59], "i2"), "scale_factor": 0.1, "add_offset": 0.3}),
        ("i1", {}),
    ],
)
def test_values_that_are_not_missing(tmp_path, dtype, attrs):
    values = np.arange(3 * 4 * 5).reshape(3, 4, 5).astype(dtype)
    path = written(tmp_path / "a.nc", fields(values, **attrs), engine="scipy")
    assert not np.isnan(Grid([path]).read(range(3))).any()


def test_fill_values_of_zarr(tmp_path, caplog):
    values = np.arange(60, dtype="f4").reshape(3, 4, 5)
    dataset = fields(values, _FillValue=np.float32(0))
    for axis in ("time", "lat", "lon"):
        dataset[axis].attrs["_FillValue"] = 0
    grid = Grid([written(tmp_path / "a.zarr", dataset, zarr_format=2)])
    assert grid.times.text(0) == "2020-01-01"
    np.testing.assert_array_equal(grid.latitude, [0, 5, 10, 15])
    assert np.argwhere(np.isnan(grid.read(range(3)))).tolist() == [[0, 0, 0, 0]]
    (record,) = caplog.records
    assert "zeros of rain" in record.message


@pytest.mark.parametrize(
    ("months", "units", "last"),
    [
        ([0, 1, 2], "months since 1979-01-15", "1979-03-15"),
        ([0.0, 1.0, 2.0], "month since 1979-1-31 06:00", "1979-03-31 06:00"),
        ([-1, 0, 1], "years since 2000-02-29", "2001-02-28"),
        ([0, 1, 2], "months since 1979-01", "1979-03-01"),
        ([0.0, 0.5, 1.0], "months since 1979-01-01", ""),
    ],
)
def test_months_since(tmp_path, months, units, last):
    time = ("time", np.array(months), {"units": units})
    path = written(tmp_path / "a.nc", fields(np.ones((3, 4, 5), "f4"), time))
    if not last:
        with pytest.raises(MimError, match=r"a\.nc: expected whole months.*0\.5.*Write dates"):
            Grid([path])
        return
    assert Grid([path]).times.text(2) == last


@pytest.mark.parametrize("units", ["weeks since 2020-01-01", "day as %Y%m%d.%f"])
def test_times_in_other_units(tmp_path, units):
    times = "time", 20200101.0 + np.arange(3), {"units": units}
    path = written(tmp_path / "a.nc", fields(np.ones((3, 4, 5), "f4"), times))
    with pytest.raises(MimError, match=r"a\.nc.*hours since 2000-01-01") as raised:
        Grid([path])
    assert "pip install" not in str(raised.value)


@pytest.mark.parametrize("axes", [("lat_0", "lon_0"), ("g0_lat_1", "g0_lon_2"), ("nlat", "nlon")])
@pytest.mark.parametrize("apart", [False, True])
def test_degrees_by_units(tmp_path, axes, apart):
    values = np.arange(60, dtype="f4").reshape(3, 4, 5)
    dataset = fields(values, axes=("time", *axes)).transpose("time", *axes[::-1])
    if apart:  # lat(nlat), lon(nlon)
        names = dict(zip(axes, ("lat", "lon"), strict=True))
        dataset = dataset.reset_index(axes).reset_coords(axes).rename_vars(names)
        dataset["lat"].attrs.clear()
    grid = Grid([written(tmp_path / "a.nc", dataset)], region=(5, 10, 5, 20))
    np.testing.assert_array_equal(grid.read([0])[0, ..., 0], values[0, 1:3, 1:5])
    np.testing.assert_array_equal(grid.latitude, [5, 10])


RAIN = np.arange(60, dtype="f4").reshape(3, 4, 5)


@pytest.mark.parametrize("suffix", [".HDF5", ".zarr"])
def test_groups(tmp_path, suffix):
    for path in (tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"):
        written(path, fields(RAIN), group="Grid")
        # As in IMERG: without coordinates of its own, in a group that has fields.
        inner = fields(2 * RAIN).drop_vars(("time", "lat", "lon"))
        written(path, inner, group="Grid/Intermediate", mode="a")
    written(path, fields(RAIN), group="Other", mode="a")
    with pytest.raises(MimError, match=r"one group.*Grid, Other.*--group=Grid"):
        Grid([path])
    path = tmp_path / f"a{suffix}"
    np.testing.assert_array_equal(Grid([path]).read(range(3))[..., 0], RAIN)
    grid = Grid([path], group="/Grid/Intermediate")
    np.testing.assert_array_equal(grid.read(range(3))[..., 0], 2 * RAIN)
    np.testing.assert_array_equal(grid.latitude, [0, 5, 10, 15])
    with pytest.raises(MimError, match=r"--group.*Grid, Grid/Intermediate.*grid"):
        Grid([path], group="grid")


def test_groups_are_for_files_that_can_have_them(tmp_path):
    path = written(tmp_path / "a.nc", fields(RAIN), engine="scipy")
    with pytest.raises(MimError, match="--group=Grid"):
        Grid([path], group="Grid")
    written(tmp_path / "b.nc", fields(RAIN))
    with pytest.raises(MimError, match=r"b\.nc.*none"):
        Grid([tmp_path / "b.nc"], group="Grid")


def test_flags_are_no_channels_by_default(tmp_path):
    fields_and_flags = fields(RAIN).assign(
        quality=(("time", "lat", "lon"), RAIN.astype("i1"), {"flag_values": np.int8([0, 1])})
    )
    path = written(tmp_path / "a.nc", fields_and_flags)
    assert Grid([path]).variables == ("rain",)
    assert Grid([path], ("quality",)).variables == ("quality",)


def test_times_in_single_precision(tmp_path):
    # Near day 43,830 float32 has steps of 338 s.
    for first, hours, count in ((43830, 24, 3), (43830, 1, 3), (16436 + 5 / 24, 1, 2)):
        days = np.float32(first + np.arange(count) * hours / 24)
        time = "time", days, {"units": "days since 1900-01-01"}
        path = written(tmp_path / f"{hours}.nc", fields(RAIN[:count], time))
        if hours == 24:
            assert Grid([path]).step == (86400, "seconds")
            continue
        with pytest.raises(MimError, match=r"1\.nc: .*time.*float32.*float64"):
            Grid([path])


def test_bounds_of_months_are_in_months_too(tmp_path):
    """Sums over calendar months are no rates; without their unit, bounds were days."""
    count = np.arange(24.0)
    fields = xr.Dataset(
        {
            "pr": (("time", "y", "x"), np.full((24, 2, 2), 300.0), {"units": "mm"}),
            "time_bnds": (("time", "nv"), np.stack([count, count + 1], 1)),
        },
        {"time": ("time", count, {"units": "months since 2000-01-01", "bounds": "time_bnds"})},
    )
    fields.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    with pytest.raises(MimError, match="expected rain"):
        Grid([tmp_path / "a.nc"], as_rain_rate=True)


def test_hours_since_something_else_are_no_times(tmp_path):
    times = "time", np.arange(3), {"units": "HOURS SINCE 2020-01-01"}
    fields_of_rain = fields(np.ones((3, 2, 2), "f4"), times)
    fields_of_rain["tau"] = ("time", np.arange(3.0), {"units": "hours since analysis"})
    path = written(tmp_path / "a.nc", fields_of_rain)
    assert Grid([path], ("rain",)).step == (3600, "seconds")
