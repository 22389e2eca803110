"""A variable of a data set as fields over time: which axis is which, and which part is used."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np

from mim_tf.data.sets.grid.times import Times, read_times
from mim_tf.errors import MimError

_ROWS = {"latitude", "lat", "y", "grid_latitude", "projection_y_coordinate", "rlat", "south_north"}
_COLUMNS = {"longitude", "lon", "x", "grid_longitude", "projection_x_coordinate", "rlon"}
_GEOGRAPHIC = {"latitude", "lat", "longitude", "lon"}
"""Names of dimensions, and values of CF's standard_name."""

_NORTH, _EAST = (re.compile(f"degrees?_?{name}", re.IGNORECASE) for name in ("n(orth)?", "e(ast)?"))
"""Units of latitudes and longitudes by CF; rotated ones have "degrees"."""

_TOLERANCE = 1e-4
"""In degrees; coordinates are often float32, which holds 360 to 2e-5."""


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
        raise MimError(
            f"Expected NAME or NAME@LEVEL, such as z@500, in --variables, got {text!r}."
        ) from None


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
        and len(_spatial(data)) == 2
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
            f"{path}: expected a time axis for {name}, with units such as 'hours since "
            f"2000-01-01', got the coordinates {', '.join(map(str, data.coords)) or 'none'}. "
            "Add it (xarray: expand_dims)."
        )
    dimension = time.dims[0] if time.dims else None
    others = _spatial(data)
    if len(others) < 2:  # a region may be a single row or column
        others = [each for each in data.dims if each != dimension]
    data = data.isel({each: 0 for each in data.dims if each not in (dimension, *others)})
    if len(others) != 2:
        sizes = ", ".join(f"{each} of {data.sizes[each]}" for each in others)
        raise MimError(
            f"{path}: expected {name} over time and two axes, got the further axes {sizes}. "
            f"Choose a level with --variables={name}@LEVEL, or select it (xarray: sel)."
        )
    rows, columns = others
    if _kind(data, rows) == "columns" or _kind(data, columns) == "rows":
        rows, columns = columns, rows
    mapping = data.attrs.get("grid_mapping", data.encoding.get("grid_mapping"))
    return Fields(
        path,
        data,
        dimension,
        rows,
        columns,
        read_times(path, np.atleast_1d(time.values)),
        dataset[mapping] if mapping in dataset.variables else None,
    )


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


def _time_dims(data):
    time = _time_of(data)
    return time.dims if time is not None else ()


def _is_time(coordinate):
    if coordinate.dtype.kind == "O" and coordinate.size:
        return hasattr(np.ravel(coordinate.values)[0], "calendar")  # an object of cftime
    return coordinate.dtype.kind == "M"


def _at_level(path, data, level):
    for axis in data.dims:
        if axis not in data.coords or axis in _time_dims(data) or _kind(data, axis):
            continue
        values = np.asarray(data[axis].values)
        if values.dtype.kind in "fiu":
            found = np.flatnonzero(np.isclose(values, level))
            if len(found):
                return data.isel({axis: int(found[0])})
            known = ", ".join(f"{value:g}" for value in values)
            raise MimError(f"{path}: expected a level of {data.name} ({known}), got @{level:g}.")
    raise MimError(f"{path}: {data.name} has no levels. Leave @{level:g} out of --variables.")


def _spatial(data):
    """Return the dimensions longer than 1, without time."""
    return [axis for axis in data.dims if data.sizes[axis] > 1 and axis not in _time_dims(data)]


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
    """Return the numbers of the rows and columns of `region`, columns from west to east.

    Args:
        grid: a `template`.
        region: lat0, lat1, lon0, lon1 in degrees, ends included, eastwards from lon0 to lon1 even
            across the date line; empty: all.
    """
    rows, columns = grid.dims
    if not region:
        return np.arange(grid.sizes[rows]), np.arange(grid.sizes[columns])
    latitude, longitude = degrees(grid, rows), degrees(grid, columns)
    if latitude is None or longitude is None:
        raise MimError(
            "Expected latitudes along the rows and longitudes along the columns to use --region, "
            f"got a grid of {rows} and {columns}. Leave --region out."
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
            f"Expected a --region (lat0,lat1,lon0,lon1) within latitudes {latitude.min():g} to "
            f"{latitude.max():g} and longitudes {longitude.min():g} to {longitude.max():g}, got "
            f"{','.join(f'{x:g}' for x in region)}."
        )
    return found_rows, inside[np.argsort(offset[inside], kind="stable")]


def cut(grid, rows: np.ndarray, columns: np.ndarray, coarsen: int):
    """Return `grid` with these rows and columns, `coarsen` of which become one.

    Longitudes continue beyond 360 where a region wraps around.
    """
    if min(len(rows), len(columns)) < coarsen:
        raise MimError(
            f"Expected at least {coarsen} rows and columns because of --coarsen={coarsen}, got "
            f"{len(rows)} x {len(columns)}. Lower it."
        )
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
