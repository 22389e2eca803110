"""Windows of fields over time."""

from pathlib import Path

import numpy as np

from mim_tf.config import DataConfig
from mim_tf.data.sets.grid.grid import Grid, open_grid
from mim_tf.data.sets.grid.times import runs
from mim_tf.data.source import Indices
from mim_tf.data.split import ALL, SPLITS
from mim_tf.data.windows import Recording, WindowSource
from mim_tf.errors import MimError
from mim_tf.values.step import step_in_words

_LENGTH = 12


def open_fields(
    paths: list[Path], split: str, is_divided: bool, total_length: int | None, data: DataConfig
) -> WindowSource:
    """Open windows of physical values, NaN where missing, without a gap or a change of step.

    Where `is_divided`, `paths` hold all splits: training comes first, then validation, then test,
    and no window is in two of them. Without `total_length`, windows have 12 frames or as many as
    there are without a gap, and do not overlap.
    """
    grid = open_grid(paths, data)
    first, last = _bounds(grid, split if is_divided else ALL, data)
    stretches = [Stretch(grid, *run) for run in runs(grid.times, first, last)]
    stride = data.window_stride
    if total_length is None:
        longest = max(each.length for each in stretches)
        total_length = stride = min(_LENGTH, 1 + (longest - 1) // data.frame_interval)
    step, unit = grid.step
    frame_step = step_in_words(step * data.frame_interval, unit)
    source = WindowSource(
        stretches,
        grid.frame_shape,
        total_length,
        stride,
        data.frame_interval,
        description=grid.describe()
        | {
            "from": grid.times.text(first),
            "to": grid.times.text(last - 1),
            "step": frame_step,
            "gaps": len(stretches) - 1,
            "region": list(data.region),
            "coarsen": data.coarsen,
        },
    )
    source.names, source.units = grid.variables, grid.units
    source.latitude, source.frame_grid = grid.latitude, grid.frame_grid
    source.frame_step = frame_step if step else ""
    source.has_missing = True
    return source


def grid_frame_shape(paths: list[Path], data: DataConfig) -> tuple[int, int, int]:
    """Return (H, W, C) of the frames. Raises as `open_fields`."""
    return open_grid(paths, data).frame_shape


class Stretch(Recording):
    """Fields of a grid from `first` to before `last`, without a gap."""

    def __init__(self, grid: Grid, first: int, last: int):
        self.name = grid.times.span(first, last)
        self.length = last - first
        self._grid, self._first = grid, first

    def read(self, positions: Indices) -> np.ndarray:
        return self._grid.read(self._first + np.asarray(positions))


def _bounds(grid, split, data):
    """Return the first time of a split and the first after it, as numbers."""
    count = len(grid)
    if split == ALL:
        return 0, count
    if data.split_dates:
        dates = data.split_dates.split(",")
        if len(dates) != 2:
            raise MimError(
                "Expected two dates in --split_dates, where validation and where test begin, such "
                f"as 2016-01-01,2017-01-01, got {data.split_dates!r}."
            )
        edges = [0, *map(grid.times.position, dates), count]
        asked = f"--split_dates={data.split_dates}"
    else:
        test = max(1, round(count * data.test_fraction))
        valid = max(1, round(count * data.valid_fraction))
        edges = [0, count - test - valid, count - test, count]
        asked = f"--valid_fraction={data.valid_fraction:g} --test_fraction={data.test_fraction:g}"
    for name, first, last in zip(SPLITS, edges, edges[1:], strict=False):
        if first >= last:
            raise MimError(
                f"Expected times for each split, got none for {name} because of {asked}: the data "
                f"is from {grid.times.span()}. Change the flags."
            )
    number = SPLITS.index(split)
    return edges[number], edges[number + 1]
