"""Fields of files as arrays, and files that do not fit."""

import importlib.util
import shutil
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

from mim_tf.data.sets.grid import grid as module
from mim_tf.data.sets.grid.files import expand
from mim_tf.data.sets.grid.grid import Grid
from mim_tf.errors import MimError
from tests import grid_files

FIELDS = grid_files.dataset()


def expected(fields, *names):
    return np.stack([fields[name].values for name in names], axis=-1)


@pytest.mark.parametrize("name", ["a.nc", "a.zarr"])
@pytest.mark.parametrize("chunk", [None, 5])
def test_fields_are_those_of_the_file(tmp_path, name, chunk):
    grid = Grid([grid_files.write(tmp_path / name, FIELDS, chunk)])
    assert (grid.variables, grid.units) == (("t2m", "u10"), ("K", "m s-1"))
    assert grid.frame_shape == (6, 8, 2)
    positions = [7, 3, 23, 4, 4]
    np.testing.assert_array_equal(grid.read(positions), expected(FIELDS, "t2m", "u10")[positions])
    np.testing.assert_array_equal(grid.latitude, grid_files.LATITUDES)
    assert grid.describe()["grid"] == "6 lat (60 to 30) x 8 lon (0 to 315)"


def test_netcdf_3_and_other_orders_of_the_axes(tmp_path):
    FIELDS.transpose("lon", "time", "lat").to_netcdf(tmp_path / "a.nc", format="NETCDF3_64BIT")
    grid = Grid([tmp_path / "a.nc"], ("u10",))
    np.testing.assert_array_equal(grid.read(range(24)), expected(FIELDS, "u10"))


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
    for number in range(3):
        FIELDS.isel(time=number).to_netcdf(tmp_path / f"{number}.nc", engine="h5netcdf")
    grid = Grid([tmp_path / "*.nc"], ("t2m",))
    np.testing.assert_array_equal(grid.read([2, 0]), expected(FIELDS, "t2m")[[2, 0]])


def test_a_level(tmp_path):
    levels = xr.concat([FIELDS["u10"], FIELDS["u10"] + 5], "level").assign_coords(level=[500, 850])
    path = grid_files.write(tmp_path / "a.nc", levels.rename("z").to_dataset())
    grid = Grid([path], ("z@850", "z@500"))
    at_500 = FIELDS["u10"].values[[3]]
    np.testing.assert_array_equal(grid.read([3]), np.stack([at_500 + 5, at_500], axis=-1))
    with pytest.raises(MimError, match="expected z at level 700, found it at 500, 850"):
        Grid([path], ("z@700",))
    with pytest.raises(MimError, match=r"further axes level of 2, .* as --variables=z@LEVEL"):
        Grid([path], ("z",))


def test_a_region_across_the_end_of_the_grid(tmp_path):
    path = grid_files.write(tmp_path / "a.nc", FIELDS)
    grid = Grid([path], ("u10",), (35, 55, -50, 50))
    np.testing.assert_array_equal(grid.latitude, [54, 48, 42, 36])
    assert grid.coordinates["lon"].values.tolist() == [315, 360, 405]
    wanted = FIELDS["u10"].values[:, 1:5][:, :, [7, 0, 1]]
    np.testing.assert_array_equal(grid.read(range(24))[..., 0], wanted)
    with pytest.raises(MimError, match="has none of the grid, which has latitudes 30 to 60"):
        Grid([path], ("u10",), (-10, 10, 0, 90))


def test_the_ends_of_a_region_are_in_it_in_single_precision_too(tmp_path):
    tenths = np.arange(350, 370, dtype=np.float32) / 10
    fields = grid_files.dataset(2, latitudes=tenths[::-1], longitudes=tenths - 25)
    path = grid_files.write(tmp_path / "a.nc", fields)
    grid = Grid([path], ("u10",), (35.1, 36.1, 10.1, 11.1))
    assert grid.frame_shape == (11, 11, 1)


def test_no_more_fields_are_read_at_a_time_than_fit_before_they_are_coarse(tmp_path, monkeypatch):
    bytes_of_a_field = 6 * 8 * 4
    monkeypatch.setattr(module, "CACHE_BYTES", 2 * 4 * bytes_of_a_field)
    load, lengths = Grid._load_part, []
    monkeypatch.setattr(
        Grid,
        "_load_part",
        lambda self, part, start, end: lengths.append(end - start) or load(self, part, start, end),
    )
    for name, chunk in (("a.nc", 1), ("b.nc", 3), ("c.nc", 12)):
        grid = Grid([grid_files.write(tmp_path / name, FIELDS, chunk)], ("t2m",), coarsen=2)
        grid.read(range(24))
    assert lengths == 6 * [4] + 8 * [3] + 6 * [4]


def test_coarse_values_are_means_of_those_known(tmp_path):
    grid = Grid([grid_files.write(tmp_path / "a.nc", FIELDS)], ("t2m",), coarsen=4)
    cells = FIELDS["t2m"].values[:, :4].reshape(24, 1, 4, 2, 4)
    np.testing.assert_allclose(grid.read(range(24))[..., 0], np.nanmean(cells, (2, 4)), rtol=1e-6)
    np.testing.assert_allclose(grid.latitude, grid_files.LATITUDES[:4].mean())
    with pytest.raises(MimError, match="coarsen=7 needs at least 7 rows and columns, received 6"):
        Grid([tmp_path / "a.nc"], ("t2m",), coarsen=7)


def test_a_chunk_is_read_once_while_it_is_kept(tmp_path, monkeypatch):
    grid = Grid([grid_files.write(tmp_path / "a.nc", FIELDS, 6)], ("u10",))
    bytes_of_a_field = 6 * 8 * 4
    for start in (0, 2, 4, 1):
        grid.read(range(start, start + 3))
    assert grid.bytes_read == 12 * bytes_of_a_field
    assert grid.bytes_used == 12 * bytes_of_a_field
    monkeypatch.setattr(module, "CACHE_BYTES", 0)
    grid.read(range(12, 15))
    assert not grid._blocks


@pytest.mark.parametrize(
    ("fields", "variables", "message"),
    [
        (FIELDS, ("v10",), "expected the variable v10, found t2m, u10"),
        (FIELDS.rename(time="n").drop_vars("n"), ("u10",), "expected a time axis for u10"),
        (FIELDS.isel(time=[0, 1, 1]), (), "received the same time twice: 2015-01-01 06:00"),
        (FIELDS.isel(time=[1, 0]), (), "received unsorted times: 2015-01-01 06:00, then"),
        (FIELDS.isel(lat=0), (), "expected t2m over time and two axes, received .* lon of 8"),
        (FIELDS.isel(time=[]), (), "expected at least one time"),
        (FIELDS[[]], (), "expected a variable over time and two further axes, found none"),
    ],
)
def test_what_is_no_grid(tmp_path, fields, variables, message):
    path = grid_files.write(tmp_path / "a.nc", fields)
    with pytest.raises(MimError, match=f"a.nc: .*{message}"):
        Grid([path], variables)


def shifted(fields):
    return fields.assign_coords(lat=fields["lat"] + 1)


def in_celsius(fields):
    fields["t2m"].attrs["units"] = "degC"
    return fields


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (shifted, r"b.nc: expected t2m on the grid of t2m in .*a.nc, 6 lat \(60 to 30\) x 8"),
        (lambda fields: fields.isel(lon=slice(4)), "received 6 lat .* x 4 lon"),
        (in_celsius, r"b.nc: expected t2m in K as in .*a.nc, received degC"),
        (lambda fields: fields[["t2m"]], "u10: expected the times of t2m, 48 from 2015-01-01"),
    ],
)
def test_files_that_do_not_fit_each_other(tmp_path, change, message):
    grid_files.write(tmp_path / "a.nc", FIELDS)
    grid_files.write(tmp_path / "b.nc", change(grid_files.dataset(start="2015-01-07")))
    with pytest.raises(MimError, match=message):
        Grid([tmp_path])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "received an empty file"),
        (b"hello, world", "received a file that starts with b'hello, w'"),
        (b"\x89HDF\r\n\x1a\n" + b"\0" * 50, "cannot be read"),
    ],
)
def test_files_of_something_else(tmp_path, content, message):
    (tmp_path / "a.nc").write_bytes(content)
    with pytest.raises(MimError, match=f"a.nc.*{message}.*being written"):
        Grid([tmp_path / "a.nc"])


def test_a_file_that_is_cut_short(tmp_path):
    path = grid_files.write(tmp_path / "a.nc", FIELDS, 4)
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(MimError, match=r"a.nc cannot be read: .* If it is being written, wait"):
        Grid([path]).read(range(24))


def test_a_file_that_is_being_written(tmp_path):
    path = grid_files.write(tmp_path / "a.nc", FIELDS)
    code = (
        "import h5py, sys; file = h5py.File(sys.argv[1], 'a'); print('open', flush=True); input()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code, path], **pipes) as writer:
        assert writer.stdout.readline() == "open\n"
        with pytest.raises(MimError, match=r"a.nc is being written by another process. Wait"):
            Grid([path])
        writer.communicate("\n")


def test_a_store_that_is_being_written(tmp_path):
    (tmp_path / "a.zarr").mkdir()
    with pytest.raises(MimError, match=r"a.zarr: expected a Zarr store, .* being written, wait"):
        Grid([tmp_path / "a.zarr"])
    path = grid_files.write(tmp_path / "b.zarr", FIELDS, 4)
    longer = grid_files.dataset(30)["u10"]
    grid_files.write(tmp_path / "c.zarr", longer.to_dataset())
    shutil.rmtree(path / "u10")
    shutil.copytree(tmp_path / "c.zarr" / "u10", path / "u10")
    with pytest.raises(MimError, match=r"b.zarr cannot be read: .* If it is being written, wait"):
        Grid([path])


@pytest.mark.parametrize("name", ["nothing.nc", "*.nc", "folder"])
def test_paths_of_nothing(tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(MimError, match=r"expected a NetCDF or GRIB file, .* found none"):
        expand([tmp_path / name])


@pytest.mark.parametrize(("name", "package"), [("a.nc", "h5netcdf"), ("a.zarr", "zarr")])
def test_packages_that_are_missing(tmp_path, monkeypatch, name, package):
    path = grid_files.write(tmp_path / name, FIELDS)
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda n: None if n == package else find(n))
    with pytest.raises(
        MimError, match=rf"need {package}, not installed: pip install .mim_tf\[grid"
    ):
        Grid([path])


def test_variables_have_the_same_order_wherever_a_store_is_copied_to(tmp_path):
    fields = grid_files.dataset().rename(t2m="z", u10="a")
    path = grid_files.write(tmp_path / "fields.zarr", fields)
    assert Grid([path]).variables == ("a", "z")
