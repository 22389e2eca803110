"""Whether files of fields fit each other: their variables, units, times and grids."""

import itertools
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from absl import logging

from mim_tf.data.sets.grid.fields import Fields, find_fields, split_name, template, variable_names
from mim_tf.data.sets.grid.times import Times, join_times
from mim_tf.errors import MimError

if TYPE_CHECKING:
    import xarray

Opened = list[tuple[Path, "xarray.Dataset"]]
"""Files and what they hold."""


def all_variables(opened: Opened) -> tuple[str, ...]:
    """All variables over time that there are; one without time where none has it."""
    # Sorted: a Zarr store lists its variables in any order, another one after it was copied.
    found = sorted({name for _, dataset in opened for name in variable_names(dataset)})
    if found:
        return tuple(found)
    path, dataset = opened[0]
    # The first that cannot be used says why.
    for name, data in dataset.data_vars.items():
        if data.ndim >= 2:
            return (str(name),)
    raise MimError(
        f"{path}: expected a variable over time and two further axes, found "
        f"{_listed(dataset.data_vars)}."
    )


def fields_of(opened: Opened, variable: str) -> list[Fields]:
    """The fields of a variable in all files that have it, in the order of their times."""
    name, _ = split_name(variable)
    parts = [find_fields(path, each, variable) for path, each in opened if name in each.data_vars]
    if not parts:
        known = dict.fromkeys(str(name) for _, each in opened for name in each.data_vars)
        raise MimError(
            f"{opened[0][0]}: expected the variable {name}, found {_listed(known)}. Choose with "
            "--variables."
        )
    return sorted(parts, key=lambda part: part.times.seconds[0])


def common_unit(variable: str, parts: list[Fields]) -> str:
    """The unit of all fields of a variable; `MimError` where they differ."""
    for part in parts:
        if part.unit != parts[0].unit:
            raise MimError(
                f"{part.path}: expected {variable} in {parts[0].unit or 'no unit'} as in "
                f"{parts[0].path}, received {part.unit or 'no unit'}. Convert one of them."
            )
    return parts[0].unit


def common_times(variables: tuple[str, ...], channels: list[list[Fields]]) -> Times:
    """The times that all variables have; `MimError` where they differ."""
    joined = [join_times([(p.path, p.times) for p in parts]) for parts in channels]
    for variable, times in zip(variables, joined, strict=True):
        if times.calendar != joined[0].calendar or not np.array_equal(
            times.seconds, joined[0].seconds
        ):
            raise MimError(
                f"{variable}: expected the times of {variables[0]}, {_span(joined[0])}, "
                f"received {_span(times)}. Give files with the same times of all variables."
            )
    return joined[0]


def common_grid(channels: list[list[Fields]]) -> "xarray.DataArray":
    """The grid that all fields have, as `template` makes it; `MimError` where they differ."""
    first = channels[0][0]
    grid = template(first)
    for part in itertools.chain(*channels):
        other = template(part)
        if not _same_grid(grid, other):
            raise MimError(
                f"{part.path}: expected {part.data.name} on the grid of {first.data.name} in "
                f"{first.path}, {grid_in_words(grid)}, received {grid_in_words(other)}. "
                "Fields of one run need one grid (xarray: interp_like)."
            )
    return grid


def _same_grid(first, second):
    if first.shape != second.shape:
        return False
    for ours, theirs in zip(first.dims, second.dims, strict=True):
        if ours in first.coords and theirs in second.coords:
            values = first[ours].values, second[theirs].values
            if not np.allclose(*values, rtol=1e-5, atol=1e-4):
                return False
    return True


def grid_in_words(grid: "xarray.DataArray") -> str:
    """Length, name and range of each axis."""
    sides = []
    for axis in grid.dims:
        words = f"{grid.sizes[axis]} {axis}"
        if axis in grid.coords:
            values = grid[axis].values
            words += f" ({values[0]:.7g} to {values[-1]:.7g})"
        sides.append(words)
    return " x ".join(sides)


def _span(times: Times):
    return f"{len(times)} from {times.text(0)} to {times.text(len(times) - 1)}"


def _listed(names):
    return ", ".join(map(str, names)) or "none"


# MERGED: Whether fields lie as those that a model was trained on do.


_AXIS = re.compile(r"\d+ (?P<name>\S.*?)(?: \((?P<first>\S+) to (?P<last>\S+)\))?(?: x |$)")


def check_placement(learnt: str, found: str, where: str) -> None:
    """Warns of fields of another place, whose weather a network may know little of.

    Longitudes that differ by a full circle are the same.

    Args:
        learnt: the grid of the training as `grid_in_words` has it; empty where none is known.
        found: that of the fields, of as many rows and columns.
        where: the fields are from.

    Raises:
        MimError: for rows or columns in the other direction, and for a globe that begins at
            another longitude, which are as easily mended as overlooked.
    """
    if learnt and found and not _is_same(learnt, found, where):
        logging.warning(
            "%s: the model was trained on fields of %s, these are of %s: it may know little of "
            "this place.",
            where,
            learnt,
            found,
        )


def check_one_grid(trained: str, found: str, where: str) -> None:
    """Raises `MimError` if the fields of `where` are not on the grid that is trained on."""
    if trained and not _is_same(trained, found, where):
        raise MimError(
            f"{where}: expected the grid of the training, {trained}, received {found}. Fields of "
            "one run need one grid (xarray: interp_like, sortby, roll)."
        )


def _is_same(learnt, found, where):
    axes = zip(_AXIS.finditer(learnt), _AXIS.finditer(found), strict=False)
    return learnt == found or all([_check_axis(*pair, where) for pair in axes])


def _check_axis(learnt, found, where):
    """Whether an axis has the same values; `MimError` if it is reversed or rolled."""
    if None in (learnt["first"], found["first"]):
        return learnt["first"] == found["first"]
    (first, last), (start, end) = (
        (float(axis["first"]), float(axis["last"])) for axis in (learnt, found)
    )
    said = (
        f"{where}: expected {found['name']} from {learnt['first']} to {learnt['last']}, as in the "
        f"training, received {found['first']} to {found['last']}."
    )
    if (last - first) * (end - start) < 0:
        raise MimError(
            f"{said} Turn the fields round, in xarray with .sortby({found['name']!r}, "
            f"ascending={last > first})."
        )
    step = _step(learnt, last - first)
    if _is_globe(last - first, step) and _is_globe(end - start, step):
        shift = abs(math.remainder(start - first, 360))
        if shift > 0.99 * step:
            columns = round((first - start) % 360 / step)
            raise MimError(
                f"{said} Begin at the same longitude, in xarray with .roll({found['name']}="
                f"-{columns}, roll_coords=True)."
            )
    else:
        shift = min(abs(start - first - turn) for turn in (-360, 0, 360))
    tolerance = 1e-3 * step or 1e-4
    return shift < tolerance and abs(abs(end - start) - abs(last - first)) < tolerance


def _step(axis, span):
    return abs(span) / max(int(axis[0].split()[0]) - 1, 1)


def _is_globe(span, step):
    return step > 0 and 360 - 1.01 * step < abs(span) < 360 + 0.01 * step
