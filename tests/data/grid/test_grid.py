"""Fields of files as arrays, and files that do not fit."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

from mim_tf.data.sets.grid import files
from mim_tf.data.sets.grid.files import expand
from mim_tf.data.sets.grid.grid import Grid
from mim_tf.errors import MimError
from tests import grid_files

FIELDS = grid_files.dataset()


def expected(fields, *names):
    return np.stack([fields[name].values for name in names], axis=-1)


@pytest.mark.parametrize(("name", "chunk"), [("a.nc", 5), ("a.zarr", None), ("a.zarr", 5)])
def test_fields_are_those_of_the_file(tmp_path, name, chunk):
    grid = Grid([grid_files.write(tmp_path / name, FIELDS, chunk)])
    assert (grid.variables, grid.units) == (("t2m", "u10"), ("K", "m s-1"))
    assert grid.frame_shape == (6, 8, 2)
    positions = [7, 3, 23, 4, 4]
    np.testing.assert_array_equal(grid.read(positions), expected(FIELDS, "t2m", "u10")[positions])
    np.testing.assert_array_equal(grid.latitude, grid_files.LATITUDES)
    assert grid.frame_grid.words == "6 lat (60 to 30) x 8 lon (0 to 315)"


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [("lat", "lon"), ("y", "x"), ("south_north", "west_east"), ("a", "degrees"), ("a", "axis")],
)
def test_netcdf_3_and_axes_in_another_order_by_any_name(tmp_path, latitude, longitude):
    # No name, standard_name or axis of CF but what the case says.
    plain = FIELDS.drop_vars(("lat", "lon")) if latitude == "y" else FIELDS.copy()
    for name in plain.coords.keys() & {"lat", "lon"}:
        plain[name].attrs.clear()
    if longitude == "degrees":
        plain["lat"].attrs["units"], plain["lon"].attrs["units"] = "degrees_north", "degrees_east"
    if longitude == "axis":
        plain["lat"].attrs["axis"], plain["lon"].attrs["axis"] = "Y", "X"
    plain = plain.rename(lat=latitude, lon=longitude).transpose(longitude, "time", latitude)
    plain.to_netcdf(tmp_path / "a.nc", format="NETCDF3_64BIT")
    grid = Grid([tmp_path / "a.nc"], ("u10",))
    np.testing.assert_array_equal(grid.read(range(24)), expected(FIELDS, "u10"))
    assert (grid.latitude is not None) == (latitude == "lat" or longitude == "degrees")


def test_files_are_joined_in_time_and_by_variable(tmp_path):
    later = grid_files.dataset(8, start="2015-01-07", seed=1)
    for number, part in enumerate((later, FIELDS)):  # not in the order of their names
        grid_files.write(tmp_path / f"t{number}.nc", part[["t2m"]], 5)
        grid_files.write(tmp_path / f"u{number}.nc", part[["u10"]])
    grid = Grid([tmp_path], ("u10", "t2m"))
    both = np.concatenate([expected(each, "u10", "t2m") for each in (FIELDS, later)])
    np.testing.assert_array_equal(grid.read(range(20, 30)), both[20:30])
    assert len(grid) == 32


def test_one_field_a_file(tmp_path):
    for number in range(2):
        FIELDS.isel(time=number).to_netcdf(tmp_path / f"{number}.nc", engine="h5netcdf")
    grid = Grid([tmp_path / "*.nc"], ("t2m",))
    np.testing.assert_array_equal(grid.read([1, 0]), expected(FIELDS, "t2m")[[1, 0]])


@pytest.mark.parametrize("where", ["along the fields", "without an axis", "of one"])
def test_times_that_are_no_coordinates_of_their_fields(tmp_path, where):
    fields = FIELDS[["u10"]].isel(time=[5])
    if where == "along the fields":
        fields = fields.swap_dims(time="record").reset_coords("time")
    elif where == "of one":
        fields = fields.isel(time=0, drop=True).assign_coords(time=fields.time)
    else:
        fields = fields.isel(time=0).reset_coords("time")
    grid = Grid([grid_files.write(tmp_path / "a.nc", fields)])
    assert (grid.variables, grid.times.text(0)) == (("u10",), "2015-01-02 06:00")
    whole = FIELDS[["u10"]].isel(time=[5]).assign(static=FIELDS["t2m"][0].drop_vars("time"))
    assert Grid([grid_files.write(tmp_path / "b.nc", whole)]).variables == ("u10",)
    np.testing.assert_array_equal(grid.read([0]), expected(FIELDS, "u10")[[5]])


def test_a_level(tmp_path):
    levels = xr.concat([FIELDS["u10"], FIELDS["u10"] + 5], "level").assign_coords(level=[500, 850])
    path = grid_files.write(tmp_path / "a.nc", levels.rename("z").to_dataset())
    at_500 = FIELDS["u10"].values[[3]]
    both = np.stack([at_500 + 5, at_500], axis=-1)
    np.testing.assert_array_equal(Grid([path], ("z@850", "z@500")).read([3]), both)
    for name, message in (("z@700", "500, 850"), ("z", "z@LEVEL"), ("z@high", "z@high")):
        with pytest.raises(MimError, match=message):
            Grid([path], (name,))


def test_a_level_after_an_axis_of_one_member(tmp_path):
    one = FIELDS[["u10"]].expand_dims({"number": [0], "plev": [500.0]}, (1, 2))
    path = grid_files.write(tmp_path / "a.nc", one)
    np.testing.assert_array_equal(
        Grid([path], ("u10@500",)).read([3]), expected(FIELDS, "u10")[[3]]
    )
    with pytest.raises(MimError, match="number 0; plev 500"):
        Grid([path], ("u10@850",))


@pytest.mark.parametrize("other", [[350, 0, 10], [350, 360, 370]])  # one, or all, by a circle
def test_files_may_differ_in_the_spelling_of_units_and_of_longitudes(tmp_path, other):
    for number, unit in enumerate(("m s**-1", "m/s")):
        start = np.datetime64("2015-01-01") + number
        fields = grid_files.dataset(2, start, longitudes=([-10, 0, 10], other)[number])
        fields["u10"].attrs["units"] = unit
        grid_files.write(tmp_path / f"{number}.nc", fields)
    grid = Grid([tmp_path], ("u10",))
    assert (grid.units, len(grid)) == (("m s**-1",), 4)
    assert grid.frame_grid.words.endswith("3 lon (-10 to 10)")


def test_curvilinear_grids_are_compared(tmp_path):
    for number, north in enumerate((0, 0, 20)):
        found = grid_files.dataset(2, np.datetime64("2015-01-01") + number)
        found = found.rename(lat="y", lon="x").drop_vars(["y", "x"])
        latitude = np.linspace(30, 60, 48).reshape(6, 8) + north
        found = found.assign_coords(latitude=(("y", "x"), latitude, {"units": "degrees_north"}))
        grid_files.write(tmp_path / f"{number}.nc", found)
    assert len(Grid([tmp_path / "0.nc", tmp_path / "1.nc"]).times) == 4
    with pytest.raises(MimError, match=r"2\.nc"):
        Grid([tmp_path])


def test_folders_inside_are_told(tmp_path, monkeypatch):
    told = []
    for name, year in (("a.nc", 2015), ("more/b.nc", 2016)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        grid_files.write(tmp_path / name, grid_files.dataset(2, f"{year}-01-01"))
    monkeypatch.setattr(files.logging, "log_first_n", lambda _, text, n, *got: told.append(got))
    assert len(Grid([tmp_path]).times) == 2
    assert told
    assert "more" in told.pop()
    assert len(Grid([tmp_path / "**/*.nc"]).times) == 4
    assert not told


def test_rotated_latitudes_are_no_latitudes(tmp_path):
    rotated = FIELDS.rename(lat="rlat", lon="rlon")
    for axis in ("rlat", "rlon"):
        rotated[axis].attrs["standard_name"] = f"grid_{rotated[axis].attrs['standard_name']}"
    path = grid_files.write(tmp_path / "a.nc", rotated)
    assert Grid([path], ("u10",)).latitude is None
    with pytest.raises(MimError, match="--region, got rows of rlat"):
        Grid([path], ("u10",), (35, 55, 0, 50))


def test_a_region_across_the_end_of_the_grid(tmp_path):
    path = grid_files.write(tmp_path / "a.nc", FIELDS)
    grid = Grid([path], ("u10",), (35, 55, -50, 50))
    np.testing.assert_array_equal(grid.latitude, [54, 48, 42, 36])
    assert grid.coordinates["lon"].values.tolist() == [315, 360, 405]
    wanted = FIELDS["u10"].values[:, 1:5][:, :, [7, 0, 1]]
    np.testing.assert_array_equal(grid.read(range(24))[..., 0], wanted)
    with pytest.raises(MimError, match=r"--region.*30 to 60"):
        Grid([path], ("u10",), (-10, 10, 0, 90))


def test_a_region_has_no_column_of_a_globe_twice(tmp_path):
    for number, first in enumerate((0, -180)):
        globe = grid_files.dataset(2, longitudes=np.arange(first, first + 361, 45.0))
        path = grid_files.write(tmp_path / f"{number}.nc", globe)
        for region in ((90, -90, first, first + 360), (90, -90, -90, 270), (90, -90, 90, -90)):
            columns = Grid([path], region=region).coordinates["lon"].values
            assert (np.diff(columns) == 45).all()


def test_the_ends_of_a_region_are_in_it_in_single_precision_too(tmp_path):
    tenths = np.arange(350, 370, dtype=np.float32) / 10
    fields = grid_files.dataset(2, latitudes=tenths[::-1], longitudes=tenths - 25)
    path = grid_files.write(tmp_path / "a.nc", fields)
    assert Grid([path], ("u10",), (35.1, 36.1, 10.1, 11.1)).frame_shape == (11, 11, 1)


def test_coarse_values_are_means_of_the_known_ones(tmp_path):
    grid = Grid([grid_files.write(tmp_path / "a.nc", FIELDS)], ("t2m",), coarsen=4)
    cells = FIELDS["t2m"].values[:, :4].reshape(24, 1, 4, 2, 4)
    np.testing.assert_allclose(grid.read(range(24))[..., 0], np.nanmean(cells, (2, 4)), rtol=1e-6)
    np.testing.assert_allclose(grid.latitude, grid_files.LATITUDES[:4].mean())
    with pytest.raises(MimError, match="--coarsen=7"):
        Grid([tmp_path / "a.nc"], ("t2m",), coarsen=7)


def test_variables_have_the_same_order_wherever_a_store_is_copied_to(tmp_path):
    fields = grid_files.dataset().rename(t2m="z", u10="a")
    path = grid_files.write(tmp_path / "fields.zarr", fields)
    assert Grid([path]).variables == ("a", "z")


@pytest.mark.parametrize(
    ("fields", "variables", "message"),
    [
        (FIELDS, ("v10",), "v10.* t2m, u10.*--variables"),
        (FIELDS.rename(time="n").drop_vars("n"), ("u10",), "u10"),
        (FIELDS.isel(time=[0, 1, 1]), (), "2015-01-01 06:00"),
        (FIELDS.isel(time=[1, 0]), (), "2015-01-01 06:00"),
        (FIELDS.isel(lat=0), (), "t2m.*lon of 8"),
        (FIELDS.isel(time=[]), (), "time"),
        (FIELDS[[]], (), "none"),
        (FIELDS.expand_dims(expver=[1, 5]), ("u10",), "u10.*combine_first"),
        (FIELDS, ("u10@500",), "@500"),
        *(
            (FIELDS.assign_coords({axis: FIELDS[axis] * np.nan}), (), f"finite.*{axis}")
            for axis in ("lat", "lon")
        ),
    ],
)
def test_what_is_no_grid(tmp_path, fields, variables, message):
    path = grid_files.write(tmp_path / "a.nc", fields)
    with pytest.raises(MimError, match=f"a.nc.*{message}"):
        Grid([path], variables)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda fields: fields.assign_coords(lat=fields["lat"] + 1),
            "b.nc: .*t2m.*a.nc.*61 to 31.*--var",
        ),
        (lambda fields: fields.isel(lon=slice(4)), "b.nc: .*a.nc.* 4 lon"),
        (
            lambda fields: fields.assign(t2m=fields["t2m"].assign_attrs(units="degC")),
            "b.nc: .*t2m in K.*a.nc.*degC",
        ),
        (lambda fields: fields[["t2m"]], "u10: .*48.*t2m.*24.*--variables"),
    ],
)
def test_files_that_do_not_fit_each_other(tmp_path, change, message):
    grid_files.write(tmp_path / "a.nc", FIELDS)
    grid_files.write(tmp_path / "b.nc", change(grid_files.dataset(start="2015-01-07")))
    with pytest.raises(MimError, match=message):
        Grid([tmp_path])


@pytest.mark.parametrize(
    ("name", "damage"),
    [("a.nc", "noise"), ("a.nc", "cut short"), ("a.zarr", "no store"), ("a.zarr", "mixed")],
)
def test_corrupted_files_are_named(tmp_path, name, damage):
    path = grid_files.write(tmp_path / name, FIELDS, 4)
    if damage == "noise":
        path.write_bytes(b"hello, world")
    elif damage == "cut short":
        path.write_bytes(path.read_bytes()[:-3000])
    elif damage == "no store":
        shutil.rmtree(path)
        path.mkdir()
    else:  # one variable of the store is longer already
        other = grid_files.write(tmp_path / "c.zarr", grid_files.dataset(30)[["u10"]])
        shutil.rmtree(path / "u10")
        shutil.copytree(other / "u10", path / "u10")
    with pytest.raises(MimError, match=rf"{path.name}.*being written"):
        Grid([path]).read(range(24))


def test_a_file_that_another_process_writes(tmp_path):
    path = grid_files.write(tmp_path / "a.nc", FIELDS)
    code = (
        "import h5py, sys; file = h5py.File(sys.argv[1], 'a'); print('open', flush=True); input()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code, path], **pipes) as writer:
        assert writer.stdout.readline() == "open\n"
        with pytest.raises(MimError, match=r"a\.nc is being written by another process"):
            Grid([path])
        writer.communicate("\n")


@pytest.mark.parametrize(
    ("start", "remedy"),
    [
        (b"PK\3\4", "unzip"),
        (b"\x1f\x8b\x08", "gunzip"),
        (b"BZh9", "bunzip2"),
        (b"<!DOCTYPE html>", "web page.*[Ll]og in"),
        (b"\x0e\3\x13\1", "HDF4"),
        (b"CDF\5", "nccopy"),
    ],
)
def test_files_of_other_formats_are_named(tmp_path, start, remedy):
    (tmp_path / "a.nc").write_bytes(start + bytes(100))
    with pytest.raises(MimError, match=rf"a\.nc: .*{remedy}") as raised:
        Grid([tmp_path / "a.nc"])
    assert "being written" not in str(raised.value)


def test_compression_by_a_plugin_that_is_not_there(tmp_path):
    path = grid_files.write(tmp_path / "a.nc", FIELDS[["u10"]])
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk((24, 6, 8))
    properties.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))  # Zstandard
    with h5py.File(path, "a") as file:
        del file["u10"]
        space = h5py.h5s.create_simple((24, 6, 8))
        field = h5py.h5d.create(file.id, b"u10", h5py.h5t.IEEE_F32LE, space, properties)
        field.write_direct_chunk((0, 0, 0), b"compressed")
        for axis, name in enumerate(("time", "lat", "lon")):
            file["u10"].dims[axis].attach_scale(file[name])
    with pytest.raises(MimError, match=r"a\.nc .*HDF5_PLUGIN_PATH"):
        Grid([path]).read([0])


@pytest.mark.parametrize("name", ["nothing.nc", "*.nc", "folder"])
def test_paths_of_nothing(tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(MimError, match="NetCDF or GRIB file"):
        expand([tmp_path / name])


@pytest.mark.parametrize(("name", "package"), [("a.nc", "h5netcdf"), ("a.zarr", "zarr")])
def test_packages_that_are_missing(tmp_path, monkeypatch, name, package):
    path = grid_files.write(tmp_path / name, FIELDS)
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda n: None if n == package else find(n))
    with pytest.raises(MimError, match=rf"{package}.*pip install .mim_tf\[grid"):
        Grid([path])


@pytest.mark.parametrize("name", ["a.nc", "a.zarr", "a.cdf"])
def test_too_many_variables_are_refused(tmp_path, name, monkeypatch):
    if name == "a.cdf":
        FIELDS.to_netcdf(tmp_path / name, engine="scipy")
    else:
        grid_files.write(tmp_path / name, FIELDS)
    monkeypatch.setattr(files, "_MOST_VARIABLES", 7)
    assert Grid([tmp_path / name]).frame_shape[2] == 2
    monkeypatch.setattr(files, "_MOST_VARIABLES", 4)
    with pytest.raises(MimError, match=name):
        Grid([tmp_path / name], ("t2m",))


def test_members_are_not_the_rows_of_a_region_of_one_row(tmp_path):
    row = FIELDS[["t2m"]].isel(lat=[2])
    members = row.expand_dims({"number": [0, 1, 2]}, 1)
    assert Grid([grid_files.write(tmp_path / "a.nc", row)]).frame_shape == (1, 8, 1)
    with pytest.raises(MimError, match=r"t2m.*number of 3"):
        Grid([grid_files.write(tmp_path / "b.nc", members)])


def test_starts_of_forecasts_are_not_the_times_of_their_fields(tmp_path):
    lead, later = np.timedelta64(6, "h"), FIELDS.time.values + np.timedelta64(6, "h")
    one = FIELDS.assign_coords(prediction_timedelta=lead)  # of each start
    hours = FIELDS.assign_coords(forecast_hour=6)
    several = FIELDS.isel(time=0, drop=True).expand_dims(time=FIELDS.time[:1], step=[6, 12])
    for fields, variable in ((one, "t2m"), (hours, "t2m"), (several, "t2m"), (several, "t2m@6")):
        path = grid_files.write(tmp_path / "a.nc", fields)
        with pytest.raises(MimError, match=r"a\.nc.*(step|timedelta|forecast_hour)"):
            Grid([path], (variable,))
    valid = one.assign_coords(valid_time=("time", later))
    grid = Grid([grid_files.write(tmp_path / "b.nc", valid)])
    np.testing.assert_array_equal(grid.times.values, later)
    analysis = FIELDS.assign_coords(step=np.timedelta64(0, "h"))
    assert len(Grid([grid_files.write(tmp_path / "c.nc", analysis)])) == 24


@pytest.mark.parametrize(("kind", "told"), [("accum", True), ("avg", False)])
def test_sums_along_a_forecast_are_told(tmp_path, caplog, kind, told):
    fields = FIELDS[["t2m"]].swap_dims(time="step").rename(time="valid_time", t2m="tp")
    fields.tp.attrs |= {"units": "kg m**-2", "GRIB_stepType": kind}
    grid = Grid([grid_files.write(tmp_path / "a.nc", fields)], as_rain_rate=True)
    assert grid.units == ("mm/h",)
    assert ("sums along a forecast" in caplog.text) == told


@pytest.mark.parametrize(
    "dtype", ["S5", "c8", "V8", "M8[ns]", [("a", "f4"), ("b", "i2")], "(3,)f4", h5py.ref_dtype]
)
@pytest.mark.parametrize("variables", [(), ("t2m",)])
def test_values_that_are_not_numbers_are_refused(tmp_path, dtype, variables):
    path = grid_files.write(tmp_path / "a.nc", grid_files.dataset()[["t2m"]])
    with h5py.File(path, "a") as file:
        del file["t2m"]
        is_time = dtype == "M8[ns]"
        field = file.create_dataset("t2m", (24, 6, 8), "f4" if is_time else dtype)
        if is_time:
            field.attrs["units"] = "hours since 2000-01-01"
        for axis, name in enumerate(("time", "lat", "lon")):
            field.dims[axis].attach_scale(file[name])
    with pytest.raises(MimError, match=r"a\.nc.* t2m"):
        Grid([path], variables)


@pytest.mark.slow
def test_a_real_grib_file():
    package = pytest.importorskip("iris_sample_data", reason="real files come with this package")
    pytest.importorskip("cfgrib", reason="cfgrib reads GRIB")
    path = Path(package.path) / "polar_stereo.grib2"
    before = set(path.parent.iterdir())
    grid = Grid([path])
    assert (grid.variables, grid.units, grid.frame_shape) == (("t",), ("K",), (200, 247, 1))
    values = xr.open_dataset(path, engine="cfgrib", backend_kwargs={"indexpath": ""})["t"].values
    np.testing.assert_array_equal(grid.read([0])[0, ..., 0], values)
    assert set(path.parent.iterdir()) == before
    with pytest.raises(MimError, match="--region"):
        Grid([path], region=(0, 10, 0, 10))
