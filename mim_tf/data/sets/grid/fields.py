"""NetCDF files, GRIB files and Zarr stores, and their variables as fields over time.

Files are opened as data sets of xarray, which read lazily. Which axis of a variable is which, and
which part of it is used, is decided here.
"""

import contextlib
import dataclasses
import glob
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mim_tf.data.files.images import in_natural_order
from mim_tf.data.sets.grid.times import Times, read_times
from mim_tf.errors import MimError
from mim_tf.runtime.optional import import_xarray
from mim_tf.storage.containers import check_grib, check_hdf5, check_zarr
from mim_tf.storage.paths import list_folder, opened

SUFFIXES = (".nc", ".nc4", ".cdf", ".netcdf", ".grib", ".grib2", ".grb", ".grb2", ".zarr")
"""Names of files and stores; which format it is follows from the first bytes."""

_ZARR_METADATA = ("zarr.json", ".zgroup", ".zmetadata", ".zattrs")
_ENGINES = {b"\x89HDF": "h5netcdf", b"CDF": "scipy", b"GRIB": "cfgrib"}
_CHECKS = {"h5netcdf": check_hdf5, "zarr": check_zarr, "cfgrib": check_grib}
_WAIT = "If it is still being written, wait; otherwise write or download it again."

_ROWS = {"latitude", "lat", "y", "grid_latitude", "projection_y_coordinate", "rlat", "south_north"}
_COLUMNS = {"longitude", "lon", "x", "grid_longitude", "projection_x_coordinate", "rlon"}
_GEOGRAPHIC = {"latitude", "lat", "longitude", "lon"}
"""Names of dimensions, and values of CF's standard_name."""

_NORTH, _EAST = (re.compile(f"degrees?_?{name}", re.IGNORECASE) for name in ("n(orth)?", "e(ast)?"))
"""Units of latitudes and longitudes by CF; rotated ones have "degrees"."""

_TOLERANCE = 1e-4
"""In degrees; coordinates are often float32, which holds 360 to 2e-5."""


def is_grid(path: Path) -> bool:
    """Return whether a path has the name or the content of a file or store with coordinates."""
    return path.suffix.lower() in SUFFIXES or _is_zarr(path)


def _is_zarr(path):
    return any(os.path.exists(path / name) for name in _ZARR_METADATA)


def is_pattern(path: Path) -> bool:
    """Return whether a path is a pattern for files with coordinates, such as data/*.nc."""
    return (
        glob.has_magic(str(path)) and not os.path.exists(path) and path.suffix.lower() in SUFFIXES
    )


def expand(paths: list[Path]) -> list[Path]:
    """Return the files and stores at `paths`, which may be patterns or folders of them."""
    return [found for path in paths for found in _expanded(path)]


def _expanded(path):
    if os.path.exists(path) and (os.path.isfile(path) or is_grid(path)):
        return [path]
    if os.path.isdir(path):
        found = [child for child in list_folder(path) if is_grid(child) and child.name[0] != "."]
    else:
        found = [Path(name) for name in glob.glob(str(path), recursive=True)]
    if not found:
        raise MimError(
            f"{path}: expected a NetCDF or GRIB file, a Zarr store, a pattern such as 'data/*.nc' "
            f"or a folder of them ({', '.join(SUFFIXES)})."
        )
    return in_natural_order(found)


def open_datasets(path: Path) -> list:
    """Return what a file or store holds, as xarray data sets.

    A GRIB file whose messages do not fit into one data set gives several. No index file is written.
    """
    engine = _engine(path)
    if engine in _CHECKS:
        with read_errors(path):
            _CHECKS[engine](path)
    xarray = import_xarray(*([] if engine == "scipy" else [engine]))  # xarray itself needs SciPy
    # Warnings about missing Zarr metadata and broken conventions do not help here.
    with read_errors(path), warnings.catch_warnings(action="ignore"):
        if engine == "cfgrib":
            import cfgrib

            return cfgrib.open_datasets(
                str(path), backend_kwargs={"indexpath": ""}, decode_timedelta=False
            )
        return [xarray.open_dataset(path, engine=engine, cache=False, decode_timedelta=False)]


def _engine(path):
    if os.path.isdir(path):
        if _is_zarr(path):
            return "zarr"
        raise MimError(f"{path}: expected a Zarr store, got a folder without metadata. {_WAIT}")
    with opened(path, "a file of fields") as file:
        start = file.read(8)
    for magic, engine in _ENGINES.items():
        if start.startswith(magic):
            return engine
    raise MimError(f"{path}: expected NetCDF, GRIB or Zarr, got a start of {start!r}. {_WAIT}")


@contextlib.contextmanager
def read_errors(path: Path) -> Iterator[None]:
    """Turn every exception inside into a `MimError` that names `path`."""
    try:
        yield
    except MimError:
        raise
    except Exception as error:  # HDF5, Zarr's codecs and eccodes raise classes of their own
        text = str(error).strip() or type(error).__name__
        if isinstance(error, BlockingIOError) or "unable to lock" in text.lower():
            reason = "is being written by another process. Wait until it has finished."
        elif "cftime" in text:
            reason = 'has a calendar that needs the package cftime: pip install "mim_tf[grid]".'
        else:
            reason = f"cannot be read: {text.splitlines()[0]}. {_WAIT}"
        raise MimError(f"{path} {reason}") from None


@dataclasses.dataclass
class Fields:
    """Fields of one variable in one file, `[time, y, x]`, not read yet.

    Attributes:
        path: the file or store.
        data: DataArray of xarray.
        time, rows, columns: names of its dimensions; no time where the file has one field.
        times: times of the fields.
        mapping: grid mapping variable of CF, if any.
    """

    path: Path
    data: Any
    time: str | None
    rows: str
    columns: str
    times: Times
    mapping: Any = None

    @property
    def unit(self) -> str:
        """Unit of the values; empty where they have none."""
        unit = str(self.data.attrs.get("units", ""))
        return "" if unit in ("1", "(0 - 1)", "dimensionless", "~") else unit

    @property
    def chunk(self) -> int:
        """Number of fields that are stored, and so read, together."""
        sizes = self.data.encoding.get("preferred_chunks") or {}
        return int(sizes.get(self.time, 1))


def split_name(text: str) -> tuple[str, float | None]:
    """Return the variable and the level of NAME or NAME@LEVEL."""
    name, _, level = text.partition("@")
    try:
        return name.strip(), float(level) if level else None
    except ValueError:
        raise MimError(f"Expected NAME or NAME@LEVEL in --variables, got {text!r}.") from None


def variable_names(dataset) -> list[str]:
    """Return the variables of a data set that are numbers over time and two more axes."""
    bounds = {  # of coordinates, such as time_bnds
        place.get("bounds", place.get("climatology"))
        for each in dataset.variables.values()
        for place in (each.attrs, each.encoding)
    }
    return [
        str(name)
        for name, data in dataset.data_vars.items()
        if name not in bounds
        and data.dtype.kind in "fiu"
        and _time_of(data) is not None
        and len(_without_time(data, 1)) == 2
    ]


def find_fields(path: Path, dataset, variable: str) -> Fields:
    """Return the fields of a variable, NAME or NAME@LEVEL.

    Time is recognised by its values. Rows and columns are recognised by name, standard_name, axis
    and units, or else by their order.
    """
    name, level = split_name(variable)
    data = dataset[name]
    if level is not None:
        data = _at_level(path, data, level)
    time = _time_of(data)
    if time is None:
        raise MimError(
            f"{path}: expected a time axis for {name}, with units such as 'hours since 2000-01-01',"
            f" got {list(data.coords)}. Add it (xarray: expand_dims)."
        )
    dimension = time.dims[0] if time.dims else None
    others = _without_time(data, 1)
    if len(others) < 2:  # a region may be a single row or column
        others = _without_time(data)
    data = data.isel({each: 0 for each in data.dims if each not in (dimension, *others)})
    if len(others) != 2:
        sizes = ", ".join(f"{each} of {data.sizes[each]}" for each in others)
        raise MimError(
            f"{path}: expected {name} over two axes, got {sizes}. Choose --variables={name}@LEVEL."
        )
    rows, columns = others
    if _kind(data, rows) == "columns" or _kind(data, columns) == "rows":
        rows, columns = columns, rows
    times = read_times(path, np.atleast_1d(time.values))
    named = data.attrs.get("grid_mapping", data.encoding.get("grid_mapping"))
    mapping = dataset[named] if named in dataset.variables else None
    return Fields(path, data, dimension, rows, columns, times, mapping)


def _time_of(data):
    """Return the coordinate with the time of each field, the best of several, or None."""

    def rank(coordinate):
        # A forecast has a reference time, which is the same for all of its fields.
        standard_name = coordinate.attrs.get("standard_name")
        is_time = standard_name == "time" or coordinate.attrs.get("axis") == "T"
        is_reference = standard_name == "forecast_reference_time"
        return is_reference, not is_time, coordinate.name not in coordinate.dims

    times = [each for each in data.coords.values() if each.ndim <= 1 and _is_time(each)]
    along = [each for each in times if each.ndim == 1 and each.dims[0] in data.dims]
    return min(along or [each for each in times if each.ndim == 0], key=rank, default=None)


def _is_time(coordinate):
    if coordinate.dtype.kind == "O" and coordinate.size:
        return hasattr(np.ravel(coordinate.values)[0], "calendar")  # an object of cftime
    return coordinate.dtype.kind == "M"


def _at_level(path, data, level):
    for axis in _without_time(data):
        values = np.asarray(data[axis].values if axis in data.coords else ())
        if values.dtype.kind in "fiu" and len(values) and not _kind(data, axis):
            found = np.flatnonzero(np.isclose(values, level))
            if len(found):
                return data.isel({axis: int(found[0])})
            known = ", ".join(f"{value:g}" for value in values)
            raise MimError(f"{path}: expected a level of {data.name} ({known}), got @{level:g}.")
    raise MimError(f"{path}: {data.name} has no levels. Leave @{level:g} out of --variables.")


def _without_time(data, longer_than=0):
    """Return the dimensions but time that are longer than a number."""
    time = _time_of(data)
    dims = () if time is None else time.dims
    return [axis for axis in data.dims if data.sizes[axis] > longer_than and axis not in dims]


def _labels(data, axis):
    """Return the names, the CF axis and the units of a dimension and its coordinate."""
    attrs = data[axis].attrs if axis in data.coords else {}
    names = {str(axis).lower(), str(attrs.get("standard_name", "")).lower()}
    return names, attrs.get("axis"), str(attrs.get("units", ""))


def _kind(data, axis):
    """Return whether a dimension is "rows" or "columns"; empty if unknown."""
    # Not by cf_xarray, which does not recognise dimensions without coordinates.
    names, letter, units = _labels(data, axis)
    if letter == "Y" or names & _ROWS or _NORTH.fullmatch(units):
        return "rows"
    return "columns" if letter == "X" or names & _COLUMNS or _EAST.fullmatch(units) else ""


def template(fields: Fields):
    """Return a DataArray `[y, x]` of zeros with the coordinates of `fields` but time."""
    data = fields.data if fields.time is None else fields.data.isel({fields.time: 0})
    kept = {
        name: coordinate.variable
        for name, coordinate in data.coords.items()
        if coordinate.dims and coordinate.dtype.kind in "fiu"
    }
    axes = fields.rows, fields.columns
    return type(data)(np.zeros([data.sizes[axis] for axis in axes], np.float32), kept, axes)


def select(grid, region: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of the rows and columns of a `template` in `region`, from west to east.

    A region is lat0, lat1, lon0, lon1 in degrees, ends included, eastwards from lon0 to lon1 even
    across the date line; empty: all.
    """
    rows, columns = grid.dims
    if not region:
        return np.arange(grid.sizes[rows]), np.arange(grid.sizes[columns])
    latitude, longitude = degrees(grid, rows), degrees(grid, columns)
    if latitude is None or longitude is None:
        raise MimError(
            f"Expected latitudes and longitudes for --region, got rows of {rows} and {columns}."
        )
    south, north = sorted(region[:2])
    west, east = region[2:]
    width = 360 if abs(east - west) >= 360 else (east - west) % 360
    # Degrees east of the western edge; a hair west of it is rounding, not a full circle.
    offset = (longitude - west) % 360
    offset = np.where(offset > 360 - _TOLERANCE, 0, offset)
    inside = np.flatnonzero(offset <= width + _TOLERANCE)
    found_rows = np.flatnonzero((latitude >= south - _TOLERANCE) & (latitude <= north + _TOLERANCE))
    if not len(found_rows) or not len(inside):
        raise MimError(
            f"Expected a --region within latitudes {latitude.min():g} to {latitude.max():g} and "
            f"longitudes {longitude.min():g} to {longitude.max():g}, got {region}."
        )
    return found_rows, inside[np.argsort(offset[inside], kind="stable")]


def cut(grid, rows: np.ndarray, columns: np.ndarray, coarsen: int):
    """Return `grid` with these rows and columns, `coarsen` of which become one.

    Longitudes continue beyond 360 where a region wraps around.
    """
    if min(len(rows), len(columns)) < coarsen:
        size = f"{len(rows)} x {len(columns)}"
        raise MimError(f"Expected rows and columns for --coarsen={coarsen}, got {size}.")
    row, column = grid.dims
    grid = grid.isel({row: rows, column: columns})
    if degrees(grid, column) is not None:
        values = grid[column].values
        wrapped = values[0] + (values - values[0]) % 360
        if (np.diff(values) < 0).any() and (np.diff(wrapped) > 0).all():
            grid = grid.assign_coords({column: (column, wrapped, grid[column].attrs)})
    if coarsen == 1:
        return grid
    coarse = grid.coarsen({row: coarsen, column: coarsen}, boundary="trim").mean()
    for name, coordinate in grid.coords.items():
        coarse[name].attrs.update(coordinate.attrs)
    return coarse


def degrees(grid, axis) -> np.ndarray | None:
    """Return the latitudes or longitudes along a dimension; None where it does not follow them."""
    names, _, units = _labels(grid, axis)
    is_geographic = names & _GEOGRAPHIC or _NORTH.fullmatch(units) or _EAST.fullmatch(units)
    if axis not in grid.coords or not is_geographic:
        return None
    return np.asarray(grid[axis].values, np.float64)
