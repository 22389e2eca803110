"""All files of a grid as one: channels, times, and fields by their number."""

import collections
import itertools
import math
import threading
from pathlib import Path

import numpy as np

from mim_tf.config import DataConfig
from mim_tf.data.grid.fields import Fields, find_fields, split_name, variable_names
from mim_tf.data.grid.files import expand, open_datasets, read_or_explain
from mim_tf.data.grid.region import cut, latitudes, select, template
from mim_tf.data.grid.times import Times, join_times, usual_step
from mim_tf.data.source import Indices
from mim_tf.errors import MimError

CACHE_BYTES = 2**28
"""Of fields that are kept because others of their chunk may be asked for next."""


class Grid:
    """Fields of one or several variables, `[T, H, W, C]`, read when asked for, by chunk.

    Args:
        paths: of files, stores, patterns or folders. Files follow each other in time, or hold
            other variables.
        variables: NAME or NAME@LEVEL of each channel; empty: all fields over time there are.
        region: as for `select`.
        coarsen: rows and columns whose mean becomes one value; values at the end that do not fill
            a cell are left out.

    Attributes:
        variables: those of the channels.
        units: of the channels.
        times: of the fields.
        coordinates: xarray's DataArray `[y, x]` with the coordinates of a frame.
        frame_shape: (H, W, C).
        bytes_read, bytes_used: of stored fields so far: of the chunks that were read, and of what
            was asked for.

    Raises `MimError` for files that cannot be read or do not fit each other.
    """

    def __init__(
        self,
        paths: list[Path],
        variables: tuple[str, ...] = (),
        region: tuple[float, ...] = (),
        coarsen: int = 1,
    ):
        self.paths = expand(paths)
        opened = [(path, each) for path in self.paths for each in open_datasets(path)]
        self.variables = variables or _all_variables(opened)
        self._channels = [_parts(opened, variable) for variable in self.variables]
        self.times = self._common_times()
        self.units = tuple(
            _common_unit(*pair) for pair in zip(self.variables, self._channels, strict=True)
        )
        grid = self._common_grid()
        self._rows, self._columns = select(grid, region)
        self._coarsen = coarsen
        self.coordinates = cut(grid, self._rows, self._columns, coarsen)
        self.frame_shape = (*self.coordinates.shape, len(self.variables))
        self.latitude = latitudes(self.coordinates)
        self.bytes_read = self.bytes_used = 0
        self._starts = self._block_starts()
        self._blocks: collections.OrderedDict[int, np.ndarray] = collections.OrderedDict()
        self._lock = threading.Lock()

    def __len__(self):
        return len(self.times)

    def read(self, positions: Indices) -> np.ndarray:
        """Fields at `positions` as `[len(positions), H, W, C]`, float32, NaN where missing."""
        positions = np.asarray(positions, np.int64)
        numbers = np.searchsorted(self._starts, positions, side="right") - 1
        blocks = self._wanted(np.unique(numbers).tolist())
        out = np.empty((len(positions), *self.frame_shape), np.float32)
        for place, (position, number) in enumerate(zip(positions, numbers, strict=True)):
            out[place] = blocks[number][position - self._starts[number]]
        self.bytes_used += len(positions) * self._stored_bytes
        return out

    @property
    def step(self) -> tuple[int, str]:
        """From a field to the next, as `usual_step` has it."""
        return usual_step(self.times)

    @property
    def mapping(self):
        """CF's grid mapping variable; None where there is none."""
        return self._channels[0][0].mapping

    def attributes(self, names: tuple[str, ...]) -> dict[str, dict]:
        """Of each variable: its unit and those of its attributes that are among `names`."""
        return {
            variable: {
                **{
                    name: parts[0].data.attrs[name] for name in names if name in parts[0].data.attrs
                },
                "units": unit or "1",
            }
            for variable, parts, unit in zip(
                self.variables, self._channels, self.units, strict=True
            )
        }

    def describe(self) -> dict:
        """Variables, units and grid, as JSON types."""
        return {
            "paths": [str(path) for path in self.paths],
            "variables": list(self.variables),
            "units": list(self.units),
            "grid": _grid_in_words(self.coordinates),
            "times_in_a_chunk": self._channels[0][0].chunk,
        }

    @property
    def _stored_bytes(self):
        """Of one field of all channels, as they are stored."""
        size = len(self._rows) * len(self._columns)
        return sum(size * parts[0].data.dtype.itemsize for parts in self._channels)

    def _wanted(self, numbers):
        """Number -> block, from memory or read; neighbours are read together."""
        with self._lock:
            found = {n: self._blocks[n] for n in numbers if n in self._blocks}
            for number in found:
                self._blocks.move_to_end(number)
        absent = [n for n in numbers if n not in found]
        for _, group in itertools.groupby(enumerate(absent), lambda pair: pair[1] - pair[0]):
            run = [number for _, number in group]
            edges = [*self._starts[run].tolist(), self._end(run[-1])]
            fields = self._load(edges[0], edges[-1])
            for number, start, end in zip(run, edges, edges[1:], strict=False):
                # A copy, for a part of a larger array would keep all of it.
                found[number] = fields[start - edges[0] : end - edges[0]].copy()
        with self._lock:
            self._blocks.update({number: found[number] for number in absent})
            kept = sum(block.nbytes for block in self._blocks.values())
            while kept > CACHE_BYTES:
                kept -= self._blocks.popitem(last=False)[1].nbytes
        return found

    def _end(self, number):
        return int(self._starts[number + 1]) if number + 1 < len(self._starts) else len(self)

    def _load(self, first, last):
        channels = [self._load_channel(parts, first, last) for parts in self._channels]
        return np.stack(channels, axis=-1)

    def _load_channel(self, parts, first, last):
        fields, offset = [], 0
        for part in parts:
            start, end = max(first - offset, 0), min(last - offset, len(part.times))
            offset += len(part.times)
            if start < end:
                fields.append(self._load_part(part, start, end))
        return np.concatenate(fields) if len(fields) > 1 else fields[0]

    def _load_part(self, part: Fields, start, end):
        where = {part.rows: _as_slice(self._rows), part.columns: _as_slice(self._columns)}
        if part.time is not None:
            where[part.time] = slice(start, end)
        axes = [part.time] * (part.time is not None) + [part.rows, part.columns]
        values = read_or_explain(part.path, lambda: part.data.isel(where).transpose(*axes).values)
        self.bytes_read += _bytes_touched(part, start, end, self._rows, self._columns)
        return _coarse(
            values.reshape(end - start, len(self._rows), len(self._columns)), self._coarsen
        )

    def _block_starts(self):
        """Where fields that are read together begin: chunks, as far as a few fit into memory."""
        frame_bytes = 4 * math.prod(self.frame_shape)
        most = max(1, CACHE_BYTES // 2 // frame_bytes)
        starts, offset = [], 0
        for part in self._channels[0]:
            length = len(part.times)
            starts += range(offset, offset + length, min(part.chunk, most))
            offset += length
        return np.array(starts, np.int64)

    def _common_times(self):
        joined = [join_times([(p.path, p.times) for p in parts]) for parts in self._channels]
        for variable, times in zip(self.variables, joined, strict=True):
            if times.calendar != joined[0].calendar or not np.array_equal(
                times.seconds, joined[0].seconds
            ):
                raise MimError(
                    f"{variable}: expected the times of {self.variables[0]}, {_span(joined[0])}, "
                    f"received {_span(times)}. Give files with the same times of all variables."
                )
        return joined[0]

    def _common_grid(self):
        first = self._channels[0][0]
        grid = template(first)
        for part in itertools.chain(*self._channels):
            other = template(part)
            if not _same_grid(grid, other):
                raise MimError(
                    f"{part.path}: expected {part.data.name} on the grid of {first.data.name} in "
                    f"{first.path}, {_grid_in_words(grid)}, received {_grid_in_words(other)}. "
                    "Fields of one run need one grid (xarray: interp_like)."
                )
        return grid


def open_grid(paths: list[Path], data: DataConfig) -> Grid:
    """The grid of a configuration; one that was opened is given again while its files stay."""
    names = tuple(filter(None, map(str.strip, data.variables.split(","))))
    state = tuple((path, path.stat().st_mtime_ns) for path in expand(paths))
    key = (tuple(paths), state, names, data.region, data.coarsen)
    if key not in _OPENED:
        _OPENED.clear()
        _OPENED[key] = Grid(paths, names, data.region, data.coarsen)
    return _OPENED[key]


_OPENED: dict[tuple, Grid] = {}


def _all_variables(opened):
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


def _parts(opened, variable):
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


def _common_unit(variable, parts):
    for part in parts:
        if part.unit != parts[0].unit:
            raise MimError(
                f"{part.path}: expected {variable} in {parts[0].unit or 'no unit'} as in "
                f"{parts[0].path}, received {part.unit or 'no unit'}. Convert one of them."
            )
    return parts[0].unit


def _same_grid(first, second):
    if first.shape != second.shape:
        return False
    for ours, theirs in zip(first.dims, second.dims, strict=True):
        if ours in first.coords and theirs in second.coords:
            values = first[ours].values, second[theirs].values
            if not np.allclose(*values, rtol=1e-5, atol=1e-4):
                return False
    return True


def _grid_in_words(grid):
    sides = []
    for axis in grid.dims:
        words = f"{grid.sizes[axis]} {axis}"
        if axis in grid.coords:
            values = grid[axis].values
            words += f" ({values[0]:g} to {values[-1]:g})"
        sides.append(words)
    return " x ".join(sides)


def _span(times: Times):
    return f"{len(times)} from {times.text(0)} to {times.text(len(times) - 1)}"


def _listed(names):
    return ", ".join(map(str, names)) or "none"


def _as_slice(numbers):
    """A slice in the place of numbers that follow each other, which is read at once."""
    if len(numbers) == numbers[-1] - numbers[0] + 1 and (np.diff(numbers) == 1).all():
        return slice(int(numbers[0]), int(numbers[-1]) + 1)
    return numbers


def _coarse(values, side):
    """Means of side x side values that are known, `[T, H, W]` float32."""
    values = np.asarray(values, np.float32)
    if side == 1:
        return values
    length, rows, columns = values.shape[0], values.shape[1] // side, values.shape[2] // side
    cells = values[:, : rows * side, : columns * side].reshape(length, rows, side, columns, side)
    known = ~np.isnan(cells)
    with np.errstate(invalid="ignore"):
        sums = np.where(known, cells, 0).sum(axis=(2, 4), dtype=np.float64)
        return np.float32(sums / known.sum(axis=(2, 4)))


def _bytes_touched(part, start, end, rows, columns):
    """Of the chunks that hold some of these fields."""
    sizes = part.data.encoding.get("preferred_chunks") or {}
    touched = part.data.dtype.itemsize
    for axis, numbers in (
        (part.time, np.arange(start, end)),
        (part.rows, rows),
        (part.columns, columns),
    ):
        chunk = int(sizes.get(axis, 1))
        touched *= len(np.unique(numbers // chunk)) * chunk
    return touched
