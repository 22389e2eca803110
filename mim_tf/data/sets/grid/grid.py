"""All files of a grid as one: channels, times, and fields by their number."""

import collections
import threading
from pathlib import Path

import numpy as np

from mim_tf.config import DataConfig
from mim_tf.data.sets.grid.agreement import (
    all_variables,
    common_grid,
    common_times,
    common_unit,
    fields_of,
    grid_in_words,
)
from mim_tf.data.sets.grid.fields import Fields, cut, latitudes, select
from mim_tf.data.sets.grid.files import expand, open_datasets, read_or_explain
from mim_tf.data.sets.grid.times import usual_step
from mim_tf.data.source import Indices

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
        self.variables = variables or all_variables(opened)
        self._channels = [fields_of(opened, variable) for variable in self.variables]
        self.times = common_times(self.variables, self._channels)
        self.units = tuple(
            common_unit(*pair) for pair in zip(self.variables, self._channels, strict=True)
        )
        grid = common_grid(self._channels)
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
    def words(self) -> str:
        """Rows and columns with their coordinates, as `grid_in_words` has them."""
        return grid_in_words(self.coordinates)

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
            "grid": self.words,
            "times_in_a_chunk": self._channels[0][0].chunk,
        }

    @property
    def _stored_bytes(self):
        """Of one field of all channels, as they are stored."""
        size = len(self._rows) * len(self._columns)
        return sum(size * parts[0].data.dtype.itemsize for parts in self._channels)

    @property
    def _most(self):
        """Fields to read at a time, before they are made coarser."""
        size = len(self._rows) * len(self._columns) * len(self.variables)
        return max(1, CACHE_BYTES // 2 // max(4 * size, self._stored_bytes))

    def _wanted(self, numbers):
        """Number -> block, from memory or read; neighbours are read together."""
        with self._lock:
            found = {n: self._blocks[n] for n in numbers if n in self._blocks}
            for number in found:
                self._blocks.move_to_end(number)
        absent = [n for n in numbers if n not in found]
        for run in self._runs(absent):
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

    def _runs(self, numbers):
        """Blocks to read together: those that follow each other, as far as they fit into memory."""
        found: list[list[int]] = []
        for number in numbers:
            follows = found and number == found[-1][-1] + 1
            if follows and self._end(number) - self._starts[found[-1][0]] <= self._most:
                found[-1].append(number)
            else:
                found.append([number])
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
        starts, offset = [], 0
        for part in self._channels[0]:
            length = len(part.times)
            starts += range(offset, offset + length, min(part.chunk, self._most))
            offset += length
        return np.array(starts, np.int64)


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
