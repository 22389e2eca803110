"""A variable of a data set as fields over time: which axis is which."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from mim_tf.data.sets.grid.times import Times, read_times
from mim_tf.errors import MimError

_ROWS = {"latitude", "lat", "y", "grid_latitude", "projection_y_coordinate", "rlat", "south_north"}
_COLUMNS = {"longitude", "lon", "x", "grid_longitude", "projection_x_coordinate", "rlon"}
_REFERENCE = "forecast_reference_time"


@dataclasses.dataclass
class Fields:
    """Fields of one variable in one file, `[time, y, x]`; they are read when asked for.

    Attributes:
        path: of the file or store.
        data: xarray's DataArray.
        time: name of its time dimension; None where the file has one field.
        rows, columns: names of the others.
        times: of the fields.
        mapping: CF's grid mapping variable; None where there is none.
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
        unit = str(self.data.attrs.get("units", ""))
        return "" if unit in ("1", "(0 - 1)", "dimensionless", "~") else unit

    @property
    def chunk(self) -> int:
        """Fields that are stored, and so read, together."""
        sizes = self.data.encoding.get("preferred_chunks") or {}
        return int(sizes.get(self.time, 1))


def split_name(text: str) -> tuple[str, float | None]:
    """The variable and the level in NAME or NAME@LEVEL."""
    name, _, level = text.partition("@")
    try:
        return name.strip(), float(level) if level else None
    except ValueError:
        raise MimError(
            f"Expected NAME or NAME@LEVEL, such as z@500, in variables, received {text!r}."
        ) from None


def variable_names(dataset) -> list[str]:
    """The variables of a data set that can be fields over time: numbers with two more axes.

    Bounds of coordinates are none.
    """
    bounds = {
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
    """A variable of a data set, NAME or NAME@LEVEL.

    Time is told by its values and by CF's standard_name and axis; rows and columns by
    standard_name, axis and name, or else by their order.

    Raises:
        MimError: if it has no time, or not two other axes.
    """
    name, level = split_name(variable)
    data = dataset[name]
    if level is not None:
        data = _at_level(path, data, name, level)
    time = _time_of(data)
    if time is None:
        raise MimError(
            f"{path}: expected a time axis for {name}, a coordinate with CF units such as 'hours "
            f"since 2000-01-01', found the dimensions {', '.join(map(str, data.dims)) or 'none'} "
            f"and the coordinates {', '.join(map(str, data.coords)) or 'none'}. Add it (xarray: "
            "expand_dims)."
        )
    dimension = time.dims[0] if time.dims else None
    others = _spatial(data)
    single = [each for each in data.dims if data.sizes[each] == 1 and each != dimension]
    if len(others) < 2:
        others = [each for each in data.dims if each != dimension]
    data = data.isel({each: 0 for each in single if each not in others})
    if len(others) != 2:
        listed = ", ".join(f"{each} of {data.sizes[each]}" for each in others)
        raise MimError(
            f"{path}: expected {name} over time and two axes, received the further axes {listed}. "
            f"Choose a level as --variables={name}@LEVEL, or select it (xarray: sel)."
        )
    rows, columns = _ordered(data, others)
    times = read_times(path, np.atleast_1d(time.values))
    mapping = dataset.variables.get(_mapping_name(data))
    if mapping is not None:
        mapping = dataset[_mapping_name(data)]
    return Fields(path, data, dimension, rows, columns, times, mapping)


def _mapping_name(data):
    return data.attrs.get("grid_mapping", data.encoding.get("grid_mapping"))


def _time_of(data):
    """The coordinate that says when each field is; None if there is none."""
    known = [each for each in data.coords.values() if each.ndim <= 1 and _is_time(each)]
    along = [each for each in known if each.ndim == 1 and each.dims[0] in data.dims]
    ranked = sorted(along or [each for each in known if each.ndim == 0], key=_rank)
    return ranked[0] if ranked else None


def _is_time(coordinate):
    if coordinate.dtype.kind == "M":
        return True
    if coordinate.dtype.kind != "O" or not coordinate.size:
        return False
    return hasattr(np.ravel(coordinate.values)[0], "calendar")  # an object of cftime


def _rank(coordinate):
    is_time = coordinate.attrs.get("standard_name") == "time" or coordinate.attrs.get("axis") == "T"
    is_reference = coordinate.attrs.get("standard_name") == _REFERENCE
    return is_reference, not is_time, coordinate.name not in coordinate.dims


def _at_level(path, data, name, level):
    time = _time_of(data)
    along_time = time.dims if time is not None else ()
    for axis in data.dims:
        if axis in along_time or _kind(data, axis) or axis not in data.coords:
            continue
        values = np.asarray(data[axis].values)
        if values.dtype.kind in "fiu":
            found = np.flatnonzero(np.isclose(values, level))
            if len(found):
                return data.isel({axis: int(found[0])})
            listed = ", ".join(f"{value:g}" for value in values)
            raise MimError(
                f"{path}: expected {name} at {axis} {level:g}, found it at {listed}. Choose one."
            )
    raise MimError(f"{path}: {name} has no levels. Leave @{level:g} out.")


def _spatial(data):
    """The dimensions that are neither time nor of size 1."""
    time = _time_of(data)
    return [
        axis
        for axis in data.dims
        if data.sizes[axis] > 1 and (time is None or axis not in time.dims)
    ]


def _kind(data, axis):
    """ "rows", "columns" or "" of a dimension."""
    attributes = data[axis].attrs if axis in data.coords else {}
    names = {str(axis).lower(), str(attributes.get("standard_name", "")).lower()}
    if attributes.get("axis") == "Y" or names & _ROWS:
        return "rows"
    if attributes.get("axis") == "X" or names & _COLUMNS:
        return "columns"
    return ""


def _ordered(data, axes):
    first, second = axes
    if _kind(data, first) == "columns" or _kind(data, second) == "rows":
        return second, first
    return first, second


# MERGED: A part of the globe, and a coarser grid.


_TOLERANCE = 1e-4
"""In degrees; coordinates are often float32, which holds 360 to 2e-5."""


def template(fields: Fields):
    """The coordinates of `fields` that do not change with time: a DataArray `[y, x]` of zeros."""
    data = fields.data if fields.time is None else fields.data.isel({fields.time: 0})
    data = data.transpose(fields.rows, fields.columns)
    kept = [
        name
        for name, coordinate in data.coords.items()
        if coordinate.dims and coordinate.dtype.kind in "fiu"
    ]
    empty = data.coords.to_dataset()[kept].reset_coords(drop=False)
    grid = empty.assign(grid=((fields.rows, fields.columns), np.zeros(data.shape, np.float32)))
    return grid.set_coords(kept)["grid"]


def select(grid, region: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of `region`, in the order in which they are shown.

    Args:
        grid: a `template`.
        region: lat0, lat1, lon0, lon1 in degrees, ends included; from lon0 eastwards to lon1,
            across the date line and the end of the grid if need be; empty: all.

    Raises:
        MimError: without latitudes and longitudes along rows and columns, and for a region in
            which there is nothing.
    """
    rows, columns = grid.dims
    if not region:
        return np.arange(grid.sizes[rows]), np.arange(grid.sizes[columns])
    latitude, longitude = latitudes(grid), _degrees(grid, columns, "longitude")
    if latitude is None or longitude is None:
        raise MimError(
            "region needs latitudes along the rows and longitudes along the columns, received a "
            f"grid of {rows} and {columns}. Leave region out."
        )
    south, north = sorted(region[:2])
    west, east = region[2:]
    width = 360 if abs(east - west) >= 360 else (east - west) % 360
    offset = (longitude - west) % 360
    offset = np.where(offset > 360 - _TOLERANCE, 0, offset)
    inside = np.flatnonzero(offset <= width + _TOLERANCE)
    found_rows = np.flatnonzero((latitude >= south - _TOLERANCE) & (latitude <= north + _TOLERANCE))
    if not len(found_rows) or not len(inside):
        raise MimError(
            f"region={','.join(f'{x:g}' for x in region)} (lat0,lat1,lon0,lon1) has none of the "
            f"grid, which has latitudes {latitude.min():g} to {latitude.max():g} and longitudes "
            f"{longitude.min():g} to {longitude.max():g}."
        )
    return found_rows, inside[np.argsort(offset[inside], kind="stable")]


def cut(grid, rows: np.ndarray, columns: np.ndarray, coarsen: int):
    """`grid` with these rows and columns, coarsened; longitudes go on where they wrap around.

    Raises:
        MimError: if less than one coarse cell is left.
    """
    names = dict(zip(grid.dims, (rows, columns), strict=True))
    if min(map(len, names.values())) < coarsen:
        raise MimError(
            f"coarsen={coarsen} needs at least {coarsen} rows and columns, received "
            f"{len(rows)} x {len(columns)}. Lower it."
        )
    grid = grid.isel(names)
    column = grid.dims[1]
    if _degrees(grid, column, "longitude") is not None:
        values = grid[column].values
        wrapped = values[0] + (values - values[0]) % 360
        if (np.diff(values) < 0).any() and (np.diff(wrapped) > 0).all():
            grid = grid.assign_coords({column: (column, wrapped, grid[column].attrs)})
    if coarsen > 1:
        attributes = {name: coordinate.attrs for name, coordinate in grid.coords.items()}
        grid = grid.coarsen(dict.fromkeys(grid.dims, coarsen), boundary="trim").mean()
        for name, attrs in attributes.items():
            grid[name].attrs.update(attrs)
    return grid


def latitudes(grid) -> np.ndarray | None:
    """Degrees north of the rows, None where they are not along a latitude."""
    return _degrees(grid, grid.dims[0], "latitude")


def _degrees(grid, axis, kind):
    if axis not in grid.coords:
        return None
    attributes = grid[axis].attrs
    named = str(axis).lower() in (kind, kind[:3]) or attributes.get("standard_name") == kind
    return np.asarray(grid[axis].values, np.float64) if named else None
