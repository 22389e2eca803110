"""Variables of NetCDF, Zarr and GRIB files as fields over time.

Which axis of a variable is which, and which part of it is used, is decided here.
"""

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np

from mim_tf.data.sets.grid.conventions import valid_bounds
from mim_tf.data.sets.grid.times import Times, read_times
from mim_tf.errors import MimError

_ROWS = {"latitude", "lat", "y", "grid_latitude", "projection_y_coordinate", "rlat", "south_north"}
_COLUMNS = {"longitude", "lon", "x", "grid_longitude", "projection_x_coordinate", "rlon"}
_GEOGRAPHIC = {"latitude", "lat", "longitude", "lon"}
_ROTATED = {"grid_latitude", "rlat", "grid_longitude", "rlon"}
"""Names of dimensions, and values of CF's standard_name."""

_LEADS = {
    *("forecast_period", "forecast_hour", "forecast_time", "fcst", "fcst_time", "fhour"),
    *("step", "lead", "leadtime", "lead_time", "prediction_timedelta"),
}
"""Names, and the standard_name, of the time from the start of a forecast to a field."""

_NORTH, _EAST = (
    re.compile(f"degrees?[_ ]?{name}", re.IGNORECASE) for name in ("n(orth)?", "e(ast)?")
)
"""Units of latitudes and longitudes by CF; rotated ones have "degrees"."""

_NUMBERS = "fiub"
"""Kinds of dtypes that are read; bool only where it is chosen, because it is often a mask."""

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
        spans: seconds from bound to bound of each time; empty where it has none.
        bounds: smallest and largest valid value; others are missing.
        mapping: grid mapping variable of CF, if any.
    """

    path: Path
    data: Any
    time: str | None
    rows: str
    columns: str
    times: Times
    spans: np.ndarray
    bounds: tuple[float, float]
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
    """Return the variables that are numbers over time and two more axes, without flags."""
    bounds = {  # of coordinates, such as time_bnds
        place.get("bounds", place.get("climatology"))
        for each in dataset.variables.values()
        for place in (each.attrs, each.encoding)
    }
    return [
        str(name)
        for name, data in dataset.data_vars.items()
        if name not in bounds
        and not {"flag_values", "flag_masks"} & data.attrs.keys()
        and data.dtype.kind in "fiu"
        and _time_of(data) is not None
        and len(_without_time(data, 1)) == 2
    ]


def with_times(dataset):
    """Return a data set whose times are coordinates of all fields, also if they are stored apart.

    `time` may be a variable without the attribute `coordinates`, or have an axis of one time that
    the fields do not have.
    """
    times = [name for name, each in dataset.variables.items() if each.ndim <= 1 and _is_time(each)]
    named = [n for n in times if str(n).lower() == "time" or _is_valid_time(dataset[n])]
    dataset = dataset.set_coords([name for name in named if dataset[name].ndim])
    if variable_names(dataset):  # so that fields without time stay so
        return dataset
    single = {axis for name in named for axis in dataset[name].dims if dataset.sizes[axis] == 1}
    return dataset.set_coords(named).squeeze(sorted(single))


def find_fields(path: Path, dataset, variable: str) -> Fields:
    """Return the fields of a variable, NAME or NAME@LEVEL.

    Time is recognised by its values. Rows and columns are recognised by name, standard_name, axis
    and units, or else by their order.
    """
    name, level = split_name(variable)
    if dataset[name].dtype.kind not in _NUMBERS:
        kind = dataset[name].dtype
        raise MimError(f"{path}: expected numbers in {name}, got {kind}. Choose --variables.")
    data = _with_degrees(dataset, dataset[name])
    if level is not None:
        data = _at_level(path, data, level)
    time = _time_of(data)
    if time is None:
        raise MimError(
            f"{path}: expected a time axis for {name}, with units such as 'hours since 2000-01-01',"
            f" got {list(data.coords)}. Convert its times, or add it (xarray: expand_dims)."
        )
    dimension = time.dims[0] if time.dims else None
    _check_leads(path, data, time)
    axes = _without_time(data)
    # A region may be a single row or column; members of an ensemble are neither.
    others = [each for each in axes if data.sizes[each] > 1 or _kind(data, each)]
    others = others if len(others) > 1 else axes
    data = data.isel({each: 0 for each in data.dims if each not in (dimension, *others)})
    if len(others) != 2:
        sizes = ", ".join(f"{each} of {data.sizes[each]}" for each in others)
        remedy = f"Choose --variables={name}@LEVEL" if level is None else "Select one first (isel)"
        if "expver" in others:  # ERA5, and its last months as they were first published
            remedy = "Join both first (xarray: ds.sel(expver=1).combine_first(ds.sel(expver=5)))"
        raise MimError(f"{path}: expected {name} over two axes, got {sizes}. {remedy}.")
    rows, columns = others
    if _kind(data, rows) == "columns" or _kind(data, columns) == "rows":
        rows, columns = columns, rows
    times = read_times(path, np.atleast_1d(time.values))
    named = str(data.attrs.get("grid_mapping", data.encoding.get("grid_mapping")))
    named = named.partition(":")[0]  # of "crs: x y"
    mapping = dataset[named] if named in dataset.variables else None
    ends = times, _spans(dataset, time), valid_bounds(data)
    return Fields(path, data, dimension, rows, columns, *ends, mapping)


def _with_degrees(dataset, data):
    """Return `data` with latitudes and longitudes of other names, such as lat(nlat), as axes."""
    for name, each in dataset.variables.items():
        axis = each.dims[0] if each.ndim == 1 else name
        if axis in data.dims and axis not in data.coords and _is_geographic(name, each.attrs):
            units = f"degrees_{'north' if name.lower().startswith('lat') else 'east'}"
            attrs = each.attrs if _is_geographic("", each.attrs) else each.attrs | {"units": units}
            data = data.assign_coords({axis: (axis, each.values, attrs)})
    return data


def _time_of(data):
    """Return the coordinate with the time of each field, the best of several, or None."""

    def rank(coordinate):
        # A forecast has a reference time, which is the same for all of its fields.
        standard_name = coordinate.attrs.get("standard_name")
        is_time = _is_valid_time(coordinate) or coordinate.attrs.get("axis") == "T"
        is_reference = standard_name == "forecast_reference_time"
        return is_reference, not is_time, coordinate.name not in coordinate.dims

    times = [each for each in data.coords.values() if each.ndim <= 1 and _is_time(each)]
    along = [each for each in times if each.ndim == 1 and each.dims[0] in data.dims]
    return min(along or [each for each in times if each.ndim == 0], key=rank, default=None)


def _spans(dataset, time):
    named = time.attrs.get("bounds", time.encoding.get("bounds"))
    bounds = dataset[named] if named in dataset.variables else None
    if bounds is None or bounds.shape[-1:] != (2,) or not _is_time(bounds):
        return np.zeros(0)
    spans = np.diff(bounds.values).ravel().astype("timedelta64[ms]").astype(float) / 1000
    return np.abs(spans.round()) if spans.any() else np.zeros(0)


def _check_leads(path, data, time):
    """Raise `MimError` if `time` is the start of forecasts, not the time that fields are for."""
    if _is_valid_time(time):
        return
    for name, each in data.coords.items():
        is_lead = _labels(name, each.attrs)[0] & _LEADS and each.dtype.kind in "fium"
        if is_lead and not set(each.dims) & set(time.dims) and each.values.any():
            raise MimError(
                f"{path}: expected the times that fields of {data.name} are for, got the starts of "
                f"forecasts in {time.name}, and {name}. Add the two, for one start or one {name} a "
                "file (xarray: isel, assign_coords, swap_dims)."
            )


def _is_valid_time(coordinate):
    return coordinate.attrs.get("standard_name") == "time" or "valid" in str(coordinate.name)


def _is_time(coordinate):
    if coordinate.dtype.kind == "O" and coordinate.size:
        return hasattr(np.ravel(coordinate.values)[0], "calendar")  # an object of cftime
    return coordinate.dtype.kind == "M"


def _at_level(path, data, level):
    levels = {}
    for axis in _without_time(data):
        values = np.asarray(data[axis].values if axis in data.coords else ())
        if values.dtype.kind in "fiu" and len(values) and not _kind(data, axis):
            found = np.flatnonzero(np.isclose(values, level))
            if len(found):
                return data.isel({axis: int(found[0])})
            levels[axis] = ", ".join(f"{value:g}" for value in values)
    known = "; ".join(f"{axis} {values}" for axis, values in levels.items()) or "none has a number"
    raise MimError(
        f"{path}: expected a level of {data.name} ({known}), got @{level:g}. Choose another, leave "
        "it out, or select one first (xarray: isel)."
    )


def _without_time(data, longer_than=0):
    """Return the dimensions but time that are longer than a number."""
    time = _time_of(data)
    dims = () if time is None else time.dims
    return [axis for axis in data.dims if data.sizes[axis] > longer_than and axis not in dims]


def _labels(name, attrs):
    """Return the names by which a dimension and its coordinate may be known, and the units."""
    names = {str(name).lower(), str(attrs.get("standard_name", "")).lower()}
    return names, str(attrs.get("units", "")).strip()


def _is_geographic(name, attrs):
    names, units = _labels(name, attrs)
    if names & _ROTATED:  # whose units are sometimes degrees_north, too
        return False
    return bool(names & _GEOGRAPHIC or _NORTH.fullmatch(units) or _EAST.fullmatch(units))


def _kind(data, axis):
    """Return whether a dimension is "rows" or "columns"; empty if unknown."""
    # Not by cf_xarray, which does not recognise dimensions without coordinates.
    attrs = data[axis].attrs if axis in data.coords else {}
    (names, units), letter = _labels(axis, attrs), attrs.get("axis")
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
    inside = inside[np.argsort(offset[inside], kind="stable")]
    # A globe may have its first column twice, such as 0 and 360.
    return found_rows, inside[np.diff(offset[inside], prepend=-1) > _TOLERANCE / 10]


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
    return grid.coarsen({row: coarsen, column: coarsen}, boundary="trim").mean(keep_attrs=True)


def is_south_first(grid) -> bool:
    """Return whether the first row of a `template` is south of the last, if coordinates tell."""
    row = grid.dims[0]
    for name, each in grid.coords.items():
        names, units = _labels(name, each.attrs)
        is_northward = any(re.match("x?(grid_|r)?lat|projection_y", label) for label in names)
        if row in each.dims and (is_northward or _NORTH.fullmatch(units)):
            first, last = (float(each.isel({row: number}).mean()) for number in (0, -1))
            return first < last
    return False


def degrees(grid, axis) -> np.ndarray | None:
    """Return the latitudes or longitudes along a dimension; None where it does not follow them."""
    if axis not in grid.coords or not _is_geographic(axis, grid[axis].attrs):
        return None
    return np.asarray(grid[axis].values, np.float64)
