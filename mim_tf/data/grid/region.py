"""A part of the globe, and a coarser grid."""

import numpy as np

from mim_tf.data.grid.fields import Fields
from mim_tf.errors import MimError

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
