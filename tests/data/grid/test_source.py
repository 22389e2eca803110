"""Windows of fields: splits in time, gaps, scales, and files larger than memory."""

import json
import sys

import h5netcdf
import numpy as np
import pytest

from mim_tf.config import DataConfig
from mim_tf.data.dataset import frame_shape, open_part, open_source
from mim_tf.data.sets.grid.grid import open_grid
from mim_tf.data.source import common_times
from mim_tf.errors import MimError
from mim_tf.evaluation.baselines import baselines_for, persistence
from mim_tf.evaluation.protocols import scores_for
from mim_tf.values.scale import LinearScale
from tests import grid_files
from tests.data_examples import model_for
from tests.processes import printed

SPLITS = ("train", "valid", "test")


def sources(path, total_length=4, **settings):
    data = DataConfig("grid", path, **settings)
    model = model_for(frame_shape(data), total_length)
    return {split: open_source(data, model, split) for split in SPLITS}


@pytest.fixture
def path(tmp_path):
    return grid_files.write(tmp_path / "a.nc", grid_files.dataset(40))


def test_splits_follow_each_other_in_time(path):
    found = sources(path, valid_fraction=0.2, test_fraction=0.25)
    ranges = [(s.describe()["from"], s.describe()["to"], s.size) for s in found.values()]
    assert ranges == [
        ("2015-01-01", "2015-01-06 06:00", 22 - 3),
        ("2015-01-06 12:00", "2015-01-08 06:00", 8 - 3),
        ("2015-01-08 12:00", "2015-01-10 18:00", 10 - 3),
    ]
    found = sources(path, split_dates="2015-01-05,2015-01-08")
    assert [source.size for source in found.values()] == [16 - 3, 12 - 3, 12 - 3]


def test_steps_that_are_hardly_ever_equal(tmp_path):
    seconds = 300 * np.arange(40) + np.random.default_rng(0).integers(-4, 5, 40)
    times = np.datetime64("2015-01-01", "ns") + seconds.astype("timedelta64[s]")
    path = grid_files.write(tmp_path / "a.nc", grid_files.dataset(times))
    with pytest.raises(MimError, match=r"other steps.*xarray: resample"):
        sources(path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"split_dates": "2015-01-05,2016-01-08"}, "test .*split_dates=2015-01-05,2016-01-08"),
        ({"split_dates": "2015-01-05,2015-01-05"}, "valid .*split_dates"),
        ({"split_dates": "2015-01-05"}, "split_dates"),
        ({"total_length": 9}, "valid_fraction.*test_fraction.*split_dates"),
        ({"total_length": 50}, "train"),
        ({"total_length": 9, "split_dates": "2015-01-05,2015-01-06"}, "valid.*split_dates"),
        ({"region": (1, 2, 3)}, "region"),
    ],
)
def test_what_leaves_no_windows(path, settings, message):
    with pytest.raises(MimError, match=message):
        sources(path, **settings)


def test_no_window_crosses_a_gap_or_a_change_of_step(tmp_path):
    fields = grid_files.dataset(40).isel(time=[*range(10), *range(12, 20), *range(21, 40, 2)])
    path = grid_files.write(tmp_path / "a.nc", fields)
    source = open_grid(DataConfig("grid", path, variables="u10"), "all", None, 4)
    # 10 and 8 times six hours apart; those that are twelve hours apart are in no window.
    assert source.size == (10 - 3) + (8 - 3)
    assert source.describe()["step"] == "6 hours"
    values = fields["u10"].values
    windows = source.sequences([6, 7])[..., 0]
    np.testing.assert_array_equal(windows, [values[6:10], values[10:14]])


def test_the_scale_is_of_the_training_times_alone(path):
    found = sources(path, split_dates="2015-01-05,2015-01-08", variables="t2m")
    values = grid_files.dataset(40)["t2m"].values[:16]
    scale = found["train"].scale
    np.testing.assert_allclose(scale.low, np.nanmean(values), rtol=1e-6)
    assert found["test"].scale == scale
    assert found["train"].frame_step == "6 hours"
    assert np.isnan(found["train"].sequences([0])).sum() == 1
    assert (scale.names, scale.unit) == (("t2m",), ("K",))


@pytest.mark.parametrize(
    ("train", "valid"),
    [("y*.nc", "y1.nc"), ("y*.nc", "y1*.nc"), ("y0.nc,y1.nc", "."), ("y*.nc", ".")],
)
def test_no_file_is_both_trained_and_validated_on(tmp_path, train, valid):
    for number, start in enumerate(("2015-01-01", "2016-01-01")):
        grid_files.write(tmp_path / f"y{number}.nc", grid_files.dataset(8, start))
    train = ",".join(str(tmp_path / name) for name in train.split(","))
    data = DataConfig("grid", train, tmp_path / valid)
    for split in SPLITS:
        with pytest.raises(MimError, match=r"y[01]\.nc"):
            open_source(data, model_for((6, 8, 2)), split)


def test_a_split_in_another_unit_is_refused_without_the_scale_too(path, tmp_path):
    fields = grid_files.dataset(8, "2016-01-01")
    fields["t2m"].attrs["units"] = "degC"
    other = grid_files.write(tmp_path / "b.nc", fields)
    with pytest.raises(MimError, match=r"trained on t2m in K.*t2m in degC"):
        open_part(DataConfig("grid", path, other), "valid", (6, 8, 2), 4)


def test_grid_to_score_on_needs_no_files_to_train_on(path, tmp_path):
    data = DataConfig("grid", tmp_path / "gone*.nc", path, scale="none")
    scale = LinearScale(("K", "m s-1"), (0.0, 0.0), (1.0, 1.0), clipped=False, names=("t2m", "u10"))
    assert open_source(data, model_for((6, 8, 2), scale=scale), "test").size == 37


def test_without_a_length_windows_are_as_long_as_there_are_frames(path):
    for interval, length in ((1, 12), (3, 12), (6, 7)):
        data = DataConfig("grid", path, frame_interval=interval)
        assert open_grid(data, "all", None, None).shape[0] == length


def test_frames_may_be_further_apart_and_unscaled(path):
    settings = {"valid_fraction": 0.2, "test_fraction": 0.2, "variables": "u10", "scale": "none"}
    train = sources(path, frame_interval=2, window_stride=5, **settings)["train"]
    values = grid_files.dataset(40)["u10"].values
    np.testing.assert_array_equal(train.sequences([1])[0, ..., 0], values[5:12:2])
    assert train.describe()["step"] == train.frame_step == "12 hours"
    assert not train.scale.clipped


TIMES, SIDE = 100_000, 320
MEMORY = 4 * 2**30
"""Limit of a training process; TensorFlow alone takes one of the four."""

# `getrusage` would give the peak of the process that started this one, if that is larger.
CHILD = """
import json, re, sys
from mim_tf.cli.main import main
main(json.loads(sys.argv[1]))
(peak,) = re.findall(r"VmHWM: *(\\d+) kB", open("/proc/self/status").read().replace("\\t", " "))
print("\\n", int(peak) * 1024)
"""


def write_sparse(path):
    """A file of 40 GB, almost all of it never written, so that it takes a few MB of disk."""
    with h5netcdf.File(path, "w") as file:
        file.dimensions = {"time": TIMES, "lat": SIDE, "lon": SIDE}
        time = file.create_variable("time", ("time",), "i4", data=np.arange(TIMES))
        time.attrs["units"] = "hours since 2000-01-01"
        file.create_variable("lat", ("lat",), "f4", data=np.linspace(60, 40, SIDE))
        file.create_variable("lon", ("lon",), "f4", data=np.linspace(0, 20, SIDE))
        axes, chunks = ("time", "lat", "lon"), (1, SIDE, SIDE)
        rain = file.create_variable("rain", axes, "f4", chunks=chunks, fillvalue=np.float32(-1))
        for number in range(7, TIMES, 9_000):
            rain[number] = np.full((SIDE, SIDE), number, np.float32)
    assert TIMES * SIDE**2 * 4 > 40e9 > 2000 * path.stat().st_blocks * 512


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc has the peak of memory")
def test_files_larger_than_memory_are_trained_on_in_bounded_memory(tmp_path):
    write_sparse(tmp_path / "sparse.nc")
    flags = (
        "--dataset=grid --scale=none --coarsen=10 --model_name=convlstm_net --patch_size=8 "
        "--num_hidden=4 --filter_size=1 --input_length=2 --total_length=4 --batch_size=24 "
        "--reverse_input=false --max_iterations=2 --test_interval=2 --snapshot_interval=2 "
        "--max_test_sequences=4 --num_save_samples=0"
    )
    arguments = ["train", "--train_data_paths=sparse.nc", *flags.split()]
    text = printed("-c", CHILD, json.dumps(arguments), cwd=tmp_path)
    assert int(text.split()[-1]) < MEMORY


def test_thresholds_are_in_the_unit_of_the_only_variable(path):
    with pytest.raises(MimError, match=r"--thresholds.*t2m, u10.*--variables"):
        sources(path, thresholds=(280,))
    source = sources(path, variables="t2m", thresholds=(270, 285.5))["test"]
    # Persistence of the last field of the context, counted here in K.
    fields = grid_files.dataset(40)["t2m"].values[36:]
    scores = scores_for(source, "pysteps")
    frames = source.sequences([0])
    scores.update(frames[:, 2:], np.nan_to_num(persistence(frames[:, :2], 2)))
    found = scores.result()
    for threshold in (270, 285.5):
        observed, predicted = fields[2:] > threshold, fields[[1, 1]] > threshold
        hits = (observed & predicted).sum((1, 2))
        expected = hits / (observed | predicted).sum((1, 2))
        np.testing.assert_allclose(found["per_frame"][f"CSI_{threshold:g}"], expected)
    assert f"FSS_window4_{threshold:g}" in found["mean"]
    assert "optical_flow" in baselines_for(source)


def test_a_store_changed_in_place_is_read_again(tmp_path):
    path = grid_files.write(tmp_path / "a.zarr", grid_files.dataset(40))
    data = DataConfig("grid", path, variables="t2m")
    before = open_grid(data, "train", None, 4).sequences([0])
    later = grid_files.dataset(40)[["t2m"]] + 5
    later.drop_vars(["lat", "lon"]).to_zarr(path, region={"time": slice(0, 40)})
    after = open_grid(data, "train", None, 4).sequences([0])
    np.testing.assert_allclose(after, before + 5, rtol=1e-5)


def test_times_in_two_splits_are_told(tmp_path, caplog):
    fields = grid_files.dataset(40)
    for name, part in (("a", slice(0, 24)), ("b", slice(20, 40)), ("c", slice(24, 40))):
        grid_files.write(tmp_path / f"{name}.nc", fields.isel(time=part))
    paths = [DataConfig("grid", tmp_path / f"{n}.nc") for n in "abc"]
    train, overlapping, after = (open_grid(each, "all", None, 4) for each in paths)
    assert common_times(train.describe(), after.describe()) == []
    found = common_times(train.describe(), overlapping.describe())
    assert found == ["2015-01-06 to 2015-01-10 18:00"]
