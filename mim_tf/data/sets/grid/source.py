"""Windows of fields over time."""

from pathlib import Path

import numpy as np

from mim_tf.config import DataConfig
from mim_tf.data.sets.grid.grid import Grid, open_grid
from mim_tf.data.sets.grid.times import runs, usual_step
from mim_tf.data.source import Indices
from mim_tf.data.split import ALL
from mim_tf.data.windows import Recording, WindowSource
from mim_tf.errors import MimError
from mim_tf.values.step import step_in_words

_LENGTH = 12


def open_fields(
    paths: list[Path], split: str, is_divided: bool, total_length: int | None, data: DataConfig
) -> WindowSource:
    """Windows of physical values, NaN where one is missing; none across a gap or another step.

    Args:
        paths: as for `Grid`.
        split: "train", "valid", "test" or "all".
        is_divided: whether all splits are in `paths`: training comes first, then validation, then
            test, divided at `split_dates`, or so that the last two have their fractions of the
            times. No window is in two of them.
        total_length: frames of a window; None: 12, or as many as there are without a gap, and
            windows begin that many times apart.
        data: variables, region and coarsening; dates or fractions; stride and interval of windows.

    Raises `MimError` for files that cannot be used, dates outside the data, and if there is no
    window.
    """
    grid = open_grid(paths, data)
    first, last = _bounds(grid, split if is_divided else ALL, data)
    stretches = [Stretch(grid, *run) for run in runs(grid.times, first, last)]
    stride = data.window_stride
    if total_length is None:
        longest = max(each.length for each in stretches)
        total_length = stride = min(_LENGTH, 1 + (longest - 1) // data.frame_interval)
    step, unit = usual_step(grid.times)
    frame_step = step_in_words(step * data.frame_interval, unit)
    source = WindowSource(
        stretches,
        grid.frame_shape,
        total_length,
        stride,
        data.frame_interval,
        description={
            "source": "grid",
            **grid.describe(),
            "from": grid.times.text(first),
            "to": grid.times.text(last - 1),
            "step": frame_step,
            "gaps": len(stretches) - 1,
            "region": list(data.region),
            "coarsen": data.coarsen,
        },
    )
    source.names, source.units = grid.variables, grid.units
    source.latitude = grid.latitude
    source.frame_step = frame_step if step else ""
    source.frame_grid = grid.words
    source.has_missing = True
    return source


def grid_frame_shape(paths: list[Path], data: DataConfig) -> tuple[int, int, int]:
    """(H, W, C) of the frames. Raises as `open_fields`."""
    return open_grid(paths, data).frame_shape


class Stretch(Recording):
    """Fields of a grid from `first` to before `last`, without a gap."""

    def __init__(self, grid: Grid, first: int, last: int):
        self.name = f"{grid.times.text(first)} to {grid.times.text(last - 1)}"
        self.length = last - first
        self._grid, self._first = grid, first

    def read(self, positions: Indices) -> np.ndarray:
        return self._grid.read(self._first + np.asarray(positions))


def _bounds(grid, split, data):
    """The first time of a split and the first after it, as numbers."""
    count = len(grid)
    if split == ALL:
        return 0, count
    if data.split_dates:
        dates = [date.strip() for date in data.split_dates.split(",")]
        if len(dates) != 2:
            raise MimError(
                "split_dates must be two dates, where validation and where test begin, such as "
                f"2016-01-01,2017-01-01; received {data.split_dates!r}."
            )
        edges = [0, *map(grid.times.position, dates), count]
        asked = f"split_dates={data.split_dates}"
    else:
        test = max(1, round(count * data.test_fraction))
        valid = max(1, round(count * data.valid_fraction))
        edges = [0, count - test - valid, count - test, count]
        asked = f"valid_fraction={data.valid_fraction:g} and test_fraction={data.test_fraction:g}"
    for name, first, last in zip(("train", "valid", "test"), edges, edges[1:], strict=False):
        if first >= last:
            raise MimError(
                f"{asked} leaves no times for {name}: the data is from {grid.times.text(0)} to "
                f"{grid.times.text(count - 1)}. Choose others."
            )
    number = ("train", "valid", "test").index(split)
    return edges[number], edges[number + 1]
