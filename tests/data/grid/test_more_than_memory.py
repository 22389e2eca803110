"""A file of 40 GB, almost all of it never written: it takes a few MB of disk."""

import json
import subprocess
import sys

import h5netcdf
import numpy as np
import pytest

from mim_tf.config import DataConfig
from mim_tf.data.sets.grid.grid import Grid
from mim_tf.data.sets.grid.source import open_fields

TIMES, SIDE = 100_000, 320
FIRST = 7
"""Of the fields that were written, which are so many times apart."""
APART = 9_000

MEMORY = 4 * 2**30
"""What a training process may take; TensorFlow alone takes one of the four."""

# `getrusage` would tell the peak of the process that started this one, if that is larger.
CHILD = """
import json, re, sys
from mim_tf.cli.main import main
main(json.loads(sys.argv[1]))
(peak,) = re.findall(r"VmHWM: *(\\d+) kB", open("/proc/self/status").read().replace("\\t", " "))
print("\\n", int(peak) * 1024)
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("large") / "sparse.nc"
    with h5netcdf.File(path, "w") as file:
        file.dimensions = {"time": TIMES, "lat": SIDE, "lon": SIDE}
        time = file.create_variable("time", ("time",), "i4", data=np.arange(TIMES))
        time.attrs["units"] = "hours since 2000-01-01"
        file.create_variable("lat", ("lat",), "f4", data=np.linspace(60, 40, SIDE))
        file.create_variable("lon", ("lon",), "f4", data=np.linspace(0, 20, SIDE))
        axes, chunks = ("time", "lat", "lon"), (1, SIDE, SIDE)
        rain = file.create_variable("rain", axes, "f4", chunks=chunks, fillvalue=np.float32(-1))
        rain.attrs["units"] = "mm h-1"
        for number in range(FIRST, TIMES, APART):
            rain[number] = np.full((SIDE, SIDE), number, np.float32)
    return path


def test_it_opens_without_reading_a_field(path):
    assert TIMES * SIDE**2 * 4 > 40e9
    assert path.stat().st_blocks * 512 < 20e6
    grid = Grid([path])
    assert grid.bytes_read == 0
    number = FIRST + 5 * APART
    values = grid.read([number - 1, number])
    assert np.isnan(values[0]).all()
    assert (values[1] == number).all()
    assert grid.bytes_read == 2 * SIDE**2 * 4


def test_a_window_of_a_small_region_reads_that_only(path):
    data = DataConfig(dataset="grid", region=(41, 45, 5, 9))
    source = open_fields([path], "train", True, 24, data)
    source.sequences([0, 70_000])
    assert source.shape[1:] == (64, 64, 1)
    assert source.size == TIMES * 8 // 10 - 23


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc tells the peak of memory")
def test_it_is_trained_on_in_bounded_memory(path, tmp_path):
    arguments = [
        "train",
        "--dataset=grid",
        f"--train_data_paths={path}",
        "--scale=none",
        "--coarsen=10",
        "--patch_size=8",
        "--num_hidden=4,4",
        "--filter_size=3",
        "--input_length=12",
        "--total_length=24",
        "--reverse_input=false",
        "--batch_size=4",
        "--max_iterations=20",
        "--test_interval=20",
        "--snapshot_interval=20",
        "--max_test_sequences=4",
        "--num_save_samples=0",
    ]
    child = subprocess.run(
        [sys.executable, "-c", CHILD, json.dumps(arguments)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert child.returncode == 0, child.stderr[-2000:]
    peak = int(child.stdout.split()[-1])
    assert peak < MEMORY
