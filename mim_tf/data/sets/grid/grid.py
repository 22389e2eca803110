"""All files of a grid as one object: channels, times, and fields by their number; and windows."""

import collections
import dataclasses
import functools
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from absl import logging

from mim_tf.config import DataConfig
from mim_tf.data.files.images import pooled
from mim_tf.data.sets.grid import fields
from mim_tf.data.sets.grid.files import expand, open_all, read_errors
from mim_tf.data.sets.grid.times import Times, join_times, runs, usual_step
from mim_tf.data.source import Indices, Recording, TooShortError, WindowSource, common_value
from mim_tf.data.split import ALL, SPLITS, check_apart, needed_paths, with_paths
from mim_tf.errors import MimError
from mim_tf.runtime.memory import machine_memory
from mim_tf.storage.paths import walk
from mim_tf.values.grid import Axis, FrameGrid
from mim_tf.values.scale import RAIN_SCALES, LinearScale, plain_unit
from mim_tf.values.step import step_in_words

if TYPE_CHECKING:
    import xarray

CACHE_BYTES = min(2**30, (machine_memory() or 0) // 8 + 2**28)
"""Size of the fields that are kept, because others of their chunk may be needed next."""
_USUAL_LENGTH = 12


class Grid:
    """Fields of one or several variables, `[T, H, W, C]`, read lazily and by chunk.

    Files at `paths`, stores, patterns or folders, follow each other in time, or hold other
    variables. `variables` are NAME or NAME@LEVEL of each channel; by default all fields over time.
    `region` is as for `select`. `coarsen` rows and columns become one value, their mean; an
    incomplete cell at the end is left out. `group` is as for `open_datasets`. With `as_rain_rate`
    precipitation in any unit is in mm/h.

    Attributes:
        variables, units: of the channels.
        times, step: of the fields.
        coordinates: DataArray of xarray `[y, x]` with the coordinates of a frame.
        frame_shape: (H, W, C).
        latitude: degrees north of the rows; None where they do not follow latitudes.
        frame_grid: the coordinates as weights files keep them.
        south_first: whether the first row is the southernmost.

    Raises `MimError` for files that cannot be read or do not fit each other.
    """

    def __init__(
        self,
        paths: list[Path],
        variables: tuple[str, ...] = (),
        region: tuple[float, ...] = (),
        coarsen: int = 1,
        group: str = "",
        as_rain_rate: bool = False,
    ):
        self.paths = expand(paths)
        opened = open_all(self.paths, group)
        self.variables = variables or _all_variables(opened)
        self.channels = [_fields_of(opened, variable) for variable in self.variables]
        self.times = _common_times(self.variables, self.channels)
        self.step = usual_step(self.times)
        self.units = tuple(parts[0].unit for parts in self.channels)
        self._factor = 1.0
        if as_rain_rate:
            _warn_of_sums(self.variables[0], self.channels[0])
            spans = np.concatenate([part.spans for part in self.channels[0]])
            self._factor = _rates_per_unit(self.variables, self.units, self.step, spans)
            self.units = (RAIN_RATE,)
        with read_errors(self.paths[0]):  # coordinates that are not finite
            grid = _common_grid(self.channels)
        self._rows, self._columns = fields.select(grid, region)
        self._coarsen = coarsen
        self.coordinates = fields.cut(grid, self._rows, self._columns, coarsen)
        self.frame_shape = (*self.coordinates.shape, len(self.variables))
        self.latitude = fields.degrees(self.coordinates, self.coordinates.dims[0])
        self.frame_grid = _frame_grid(self.coordinates)
        self.south_first = fields.is_south_first(self.coordinates)
        # Fields are read in blocks that begin where chunks do, and that fit into half of the cache
        # before they are coarsened.
        size = len(self._rows) * len(self._columns)
        each = sum(size * max(4, parts[0].data.dtype.itemsize) for parts in self.channels)
        self._most = max(1, CACHE_BYTES // 2 // each)
        edges = [0]
        for part in self.channels[0]:
            chunk, end = min(part.chunk, self._most), edges[-1] + len(part.times)
            edges = [*edges, *range(edges[-1] + chunk, end, chunk), end]
        self._edges = np.array(edges, np.int64)
        self._blocks: collections.OrderedDict[int, np.ndarray] = collections.OrderedDict()
        self._lock = threading.Lock()

    def __len__(self):
        return len(self.times)

    def read(self, positions: Indices) -> np.ndarray:
        """Return the fields at `positions`, `[len(positions), H, W, C]`, NaN where missing."""
        positions = np.asarray(positions, np.int64)
        numbers = np.searchsorted(self._edges, positions, side="right") - 1
        blocks = self._wanted(np.unique(numbers))
        places = zip(numbers.tolist(), positions - self._edges[numbers], strict=True)
        return np.stack([blocks[number][place] for number, place in places])

    def _wanted(self, numbers):
        """Return the fields of blocks by their numbers, from the cache or the files."""
        with self._lock:
            found = {n: self._blocks[n] for n in numbers.tolist() if n in self._blocks}
            for number in found:
                self._blocks.move_to_end(number)
        absent = np.array([n for n in numbers.tolist() if n not in found], np.int64)
        at_a_time = max(1, self._most // int(np.diff(self._edges).max()))
        # One read for blocks that follow each other is much faster than one for each.
        for run in np.split(absent, np.flatnonzero(np.diff(absent) != 1) + 1):
            for part in np.split(run, range(at_a_time, len(run), at_a_time)) if len(run) else []:
                edges = self._edges[part[0] : part[-1] + 2]
                loaded = np.split(self._load(edges[0], edges[-1]), edges[1:-1] - edges[0])
                # Copies, because a view would keep the whole array in memory.
                found |= {n: each.copy() for n, each in zip(part.tolist(), loaded, strict=True)}
        with self._lock:
            self._blocks.update({number: found[number] for number in absent.tolist()})
            kept = sum(block.nbytes for block in self._blocks.values())
            while kept > CACHE_BYTES:
                kept -= self._blocks.popitem(last=False)[1].nbytes
        return found

    def _load(self, first, last):
        """Return the fields from `first` to before `last`, `[T, H, W, C]`; they may span files."""
        channels = []
        for parts in self.channels:
            loaded, offset = [], 0
            for part in parts:
                start, end = max(first - offset, 0), min(last - offset, len(part.times))
                offset += len(part.times)
                if start < end:
                    loaded.append(self._load_part(part, start, end))
            channels.append(np.concatenate(loaded))
        return np.stack(channels, axis=-1)

    def _load_part(self, part: fields.Fields, start, end):
        where = {part.rows: _as_slice(self._rows), part.columns: _as_slice(self._columns)}
        if part.time is not None:
            where = {part.time: slice(start, end), **where}
        with read_errors(part.path):
            values = part.data.isel(where).transpose(*where).values
        values = values.reshape(-1, *values.shape[-2:]).astype(np.float32)
        low, high = part.bounds
        values[(values < low) | (values > high)] = np.nan
        values *= np.float32(self._factor)
        side = self._coarsen
        if side == 1:
            return values
        height, width = (size * side for size in self.frame_shape[:2])
        exact = values[:, :height, :width].astype(np.float64)
        return pooled(exact, (side, side), largest=False).astype(np.float32)


def cached_grid(paths: list[Path], data: DataConfig) -> Grid:
    """Return the grid of a configuration; the last one opened is reused while its files stay."""
    names = tuple(filter(None, map(str.strip, data.variables.split(","))))
    state = tuple((path, _changed(path)) for path in expand(paths))
    is_rain = not RAIN_SCALES.keys().isdisjoint(data.scale_kinds)
    return _opened(tuple(paths), state, names, data.region, data.coarsen, data.group, is_rain)


def _changed(path):
    """Return when a file, or any file of a Zarr store, was last written."""
    folders = walk(path) if path.is_dir() else ()
    inside = [folder / name for folder, names in folders for name in names]
    return max(file.stat().st_mtime_ns for file in (path, *inside))


@functools.lru_cache(1)
def _opened(paths, state, *part):  # the state of the files is a part of the key
    return Grid(list(paths), *part)


RAIN_RATE = "mm/h"
# As of `plain_unit`.
_PER_HOUR = ("mmh-1", "mmhr-1", "mmhour-1", "kgm-2h-1")
_PER_SECOND = ("mms-1", "kgm-2s-1")
_IN_A_STEP = ("mm", "kg", "kgm-2", "lm-2", "millimeter")


def _rates_per_unit(variables, units, step, spans):
    """Return the mm/h of 1 in the unit of the only variable.

    Sums are of the time between its bounds, or of one step if there are none.
    """
    if len(variables) != 1:
        raise MimError(f"Expected one variable for --scale of rain, got {', '.join(variables)}.")
    unit, seconds = units[0], step[0] if step[1] == "seconds" else 0
    plain = plain_unit(unit)
    if plain in _PER_HOUR:
        return 1.0
    if plain in _PER_SECOND:
        return 3600.0
    if len(spans):
        seconds = 0 if np.ptp(spans) else spans[0]
        unit = f"{unit} over {spans.min() / 60:g} to {spans.max() / 60:g} min"
    if plain in (*_IN_A_STEP, "m") and seconds:
        return 3600.0 / seconds * (1000.0 if plain == "m" else 1.0)
    raise MimError(
        f"{variables[0]}: expected rain in mm/h, kg m-2 s-1, or mm in each of equal steps, for "
        f"--scale=log or dbz, got {unit or 'no unit'}. Convert it, or choose --scale=minmax."
    )


def _warn_of_sums(name, parts):
    """Warn of sums along a forecast in GRIB, which may overlap: eccodes does not tell from when."""
    if any(
        part.time == "step" and part.data.attrs.get("GRIB_stepType") == "accum" for part in parts
    ):
        logging.warning(
            "%s: sums along a forecast are read as sums of one step each. If they begin at the "
            "start of the forecast, or at every second step as those of GFS do, take their "
            "differences (xarray: diff).",
            name,
        )


def _all_variables(opened):
    # Sorted, because a Zarr store lists its variables in any order, another one after a copy.
    found = sorted({name for _, dataset in opened for name in fields.variable_names(dataset)})
    # Otherwise the first variable that cannot be used; to open it raises the reason.
    path, first = opened[0]
    found = found or [str(name) for name, data in first.data_vars.items() if data.ndim >= 2][:1]
    if not found:
        names = ", ".join(map(str, first.data_vars)) or "none"
        raise MimError(
            f"{path}: expected a variable over time and two further axes, got {names}. Write the "
            "axes and times as CF has them (xarray: to_netcdf)."
        )
    return tuple(found)


def _fields_of(opened, variable):
    """Return the fields of a variable in all files that have it, sorted by time, of one unit."""
    name, _ = fields.split_name(variable)
    parts = [
        fields.find_fields(path, each, variable) for path, each in opened if name in each.data_vars
    ]
    if not parts:
        every = dict.fromkeys(str(name) for _, each in opened for name in each.data_vars)
        known = ", ".join(every) or "none"
        raise MimError(f"{opened[0][0]}: no variable {name} among {known}. Choose --variables.")
    parts.sort(key=lambda part: part.times.seconds[0])
    units = ((part.path, plain_unit(part.unit) or "no unit") for part in parts)
    common_value(units, f"{variable} in ")
    return parts


def _common_times(variables, channels) -> Times:
    first, *others = (join_times([(p.path, p.times) for p in parts]) for parts in channels)
    for variable, times in zip(variables[1:], others, strict=True):
        if times.calendar != first.calendar or not np.array_equal(times.seconds, first.seconds):
            raise MimError(
                f"{variable}: expected the {len(first)} times of {variables[0]}, {first.span()}, "
                f"got {len(times)}, {times.span()}. Choose --variables of the same times."
            )
    return first


def _common_grid(channels) -> "xarray.DataArray":
    """Return the grid of all fields, as `template` makes it."""
    first = channels[0][0]
    grid = fields.template(first)
    for part in (part for parts in channels for part in parts):
        other = fields.template(part)
        pairs = [*zip(grid.dims, other.dims, strict=True)]
        curvilinear = (name for name, each in grid.coords.items() if each.ndim == 2)
        pairs += [(n, n) for n in curvilinear if fields.degrees(grid, n) is not None]
        same = grid.shape == other.shape and all(
            _are_close(grid[ours].values, other[theirs].values, fields.degrees(grid, ours))
            for ours, theirs in pairs
            if ours in grid.coords and theirs in other.coords
        )
        if not same:
            raise MimError(
                f"{part.path}: expected {part.data.name} on the grid of {first.path}, "
                f"{_frame_grid(grid).words}, got {_frame_grid(other).words}. Use one grid for "
                "all files (xarray: sortby, roll, interp_like), or choose --variables on one grid."
            )
    return grid


def _are_close(ours, theirs, degrees):
    """Compare coordinates; degrees may differ by full circles, such as 350 and -10."""
    turn = 0 if degrees is None else 360 * np.round((ours - theirs) / 360)
    gaps = ours.ndim == 2  # curvilinear coordinates may be missing on land
    return np.allclose(ours, theirs + turn, rtol=1e-5, atol=1e-4, equal_nan=gaps)


def _frame_grid(grid) -> FrameGrid:
    rows, columns = (
        Axis.of(str(axis), grid[axis].values) if axis in grid.coords else Axis(str(axis), size)
        for axis, size in grid.sizes.items()
    )
    return FrameGrid(rows, columns)


def _as_slice(numbers):
    """Return a slice instead of consecutive numbers, because a slice is read at once."""
    if (np.diff(numbers) == 1).all():
        return slice(int(numbers[0]), int(numbers[-1]) + 1)
    return numbers


class Stretch(Recording):
    """Fields of a grid from `first` to before `last`, without a gap."""

    def __init__(self, grid: Grid, first: int, last: int):
        self.name = grid.times.span(first, last)
        self.length = last - first
        self._grid, self._first = grid, first

    def read(self, positions: Indices) -> np.ndarray:
        return self._grid.read(self._first + np.asarray(positions))


def open_grid(
    data: DataConfig,
    split: str,
    frame_shape,
    total_length: int | None,
    scale: LinearScale | None = None,
) -> WindowSource:
    """Open windows of physical values, NaN where missing, without a gap or a change of step.

    Where one path holds all splits, training comes first, then validation, then test, and no window
    is in two of them. Without `total_length`, windows have 12 frames or as many as there are
    without a gap, and do not overlap. The variables of a `scale` are opened by default.
    """
    paths, shared = needed_paths(data, split)
    if not shared:
        check_apart(expand(paths), lambda path: expand([path]), data, split)
    if scale and not data.variables:
        data = dataclasses.replace(data, variables=",".join(scale.names))
    if scale and scale.transform:  # weights of rain: sums become rates
        data = dataclasses.replace(data, scale=scale.transform)
    grid = cached_grid(paths, data)
    if data.thresholds and len(grid.variables) > 1:
        raise MimError(
            "Expected one variable, in whose unit --thresholds are, got "
            f"{', '.join(grid.variables)}. Choose one with --variables, or leave --thresholds out."
        )
    first, last = _bounds(grid, split if shared else ALL, data)
    stretches = [Stretch(grid, *run) for run in runs(grid.times, first, last)]
    stride = data.window_stride
    longest = max(each.length for each in stretches)
    if total_length is None:
        total_length = stride = min(_USUAL_LENGTH, 1 + (longest - 1) // data.frame_interval)
    step, unit = grid.step
    frame_step = step_in_words(step * data.frame_interval, unit)
    span = (total_length - 1) * data.frame_interval
    if longest <= span and len(stretches) > 1:
        raise TooShortError(
            f"Expected {span + 1} fields in steps of {step_in_words(step, unit)}, got at most "
            f"{longest} between {len(stretches) - 1} gaps or other steps. Lower total_length or "
            "frame_interval, or give the fields equal steps (xarray: resample, interp)."
        )
    return WindowSource(
        stretches,
        grid.frame_shape,
        total_length,
        stride,
        data.frame_interval,
        description={
            "source": "grid",
            "paths": [str(path) for path in grid.paths],
            "variables": list(grid.variables),
            "units": list(grid.units),
            "grid": grid.frame_grid.words,
            "times_in_a_chunk": grid.channels[0][0].chunk,
            "from": grid.times.text(first),
            "to": grid.times.text(last - 1),
            "step": frame_step,
            "gaps": len(stretches) - 1,
            "region": list(data.region),
            "coarsen": data.coarsen,
            "group": data.group,
        },
        names=grid.variables,
        units=grid.units,
        latitude=grid.latitude,
        frame_grid=grid.frame_grid,
        south_first=grid.south_first,
        frame_step=frame_step if step else "",
        thresholds=data.event_thresholds,
        has_missing=True,
    )


@with_paths
def shape_of_grid(paths: list[Path], data: DataConfig) -> tuple[int, int, int]:
    """Return (H, W, C) of the frames."""
    return cached_grid(paths, data).frame_shape


def _bounds(grid, split, data):
    """Return the first time of a split and the first after it, as numbers."""
    count = len(grid)
    if split == ALL:
        return 0, count
    if data.split_dates:
        asked = f"--split_dates={data.split_dates}"
        dates = data.split_dates.split(",")
        if len(dates) != 2:
            raise MimError(f"Expected two dates, where validation and test begin, got {asked}.")
        edges = [0, *map(grid.times.position, dates), count]
    else:
        asked = f"--valid_fraction={data.valid_fraction:g} --test_fraction={data.test_fraction:g}"
        test = max(1, round(count * data.test_fraction))
        valid = max(1, round(count * data.valid_fraction))
        edges = [0, count - test - valid, count - test, count]
    for name, first, last in zip(SPLITS, edges, edges[1:], strict=False):
        if first >= last:
            raise MimError(
                f"Expected times for each split, got none for {name} because of {asked}: the data "
                f"is from {grid.times.span()}."
            )
    number = SPLITS.index(split)
    return edges[number], edges[number + 1]
