"""Reading fields with coordinates: fields read for each field used, and the time of a window.

    python benchmarks/grid_reading.py [--times=2400] [--side=64] [--length=24] [--windows=200]

A NetCDF file is written for each of several chunk lengths; windows are asked for in their order, as
when a scale is fitted or a model evaluated, and in random order, as in training. "not kept" is
without the fields that are kept in memory.
"""

import tempfile
from pathlib import Path

import measure
import numpy as np
import xarray as xr
from absl import app, flags

from mim_tf.data.sets.grid import grid as kept
from mim_tf.data.sets.grid.grid import Grid

FLAGS = flags.FLAGS
flags.DEFINE_integer("times", 2400, "Fields in a file.")
flags.DEFINE_integer("side", 64, "Rows and columns.")
flags.DEFINE_integer("length", 24, "Fields of a window.")
flags.DEFINE_integer("windows", 200, "Windows to read.")
flags.DEFINE_integer("kept_fields", 480, "Fields that are kept in memory.")
CHUNKS = (1, 24, 240)


def main(arguments):
    del arguments
    measure.header("times in a chunk", "windows", "read / used", "ms a window")
    with tempfile.TemporaryDirectory() as folder:
        for chunk in CHUNKS:
            path = _written(Path(folder) / f"{chunk}.nc", min(chunk, FLAGS.times))
            for order in ("in order", "random", "random, not kept"):
                measure.row(chunk, order, *_read(path, order, chunk))


def _written(path, chunk):
    shape = FLAGS.times, FLAGS.side, FLAGS.side
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    time = np.datetime64("2000-01-01", "ns") + np.arange(FLAGS.times) * np.timedelta64(1, "h")
    fields = xr.Dataset({"t": (("time", "y", "x"), values)}, {"time": time})
    encoding = {"t": {"chunksizes": (chunk, *shape[1:]), "zlib": True, "complevel": 1}}
    fields.to_netcdf(path, engine="h5netcdf", encoding=encoding)
    return path


def _read(path, order, chunk):
    share = 0 if order.endswith("not kept") else FLAGS.kept_fields
    kept.CACHE_BYTES = share * 4 * FLAGS.side**2
    grid, parts = Grid([path]), []
    load = Grid._load_part

    def counted(part, start, end):
        # HDF5 reads whole chunks.
        parts.append(chunk * (-(-end // chunk) - start // chunk))
        return load(grid, part, start, end)

    grid._load_part = counted
    count = FLAGS.times - FLAGS.length + 1
    starts = np.arange(count)[: FLAGS.windows]
    if order != "in order":
        starts = np.random.default_rng(0).permutation(count)[: FLAGS.windows]

    def read():
        for start in starts.tolist():
            grid.read(np.arange(start, start + FLAGS.length))

    seconds = measure.timed(read)
    used = FLAGS.length * len(starts)
    return f"{sum(parts) / used:.2f}", f"{1000 * seconds / len(starts):.2f}"


if __name__ == "__main__":
    app.run(main)
