"""A variable of a data set as fields over time: which axis is which."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from mim_tf.data.grid.times import Times, read_times
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
