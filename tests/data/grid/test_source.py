"""Windows of fields: splits in time, gaps, scales."""

from pathlib import Path

import numpy as np
import pytest

from mim_tf.cli.configs import model_config
from mim_tf.cli.flags import given
from mim_tf.cli.train import COMMAND
from mim_tf.config import DataConfig, ModelConfig
from mim_tf.data.dataset import frame_shape, open_source
from mim_tf.data.sets.grid.source import open_fields
from mim_tf.data.source import describe_splits
from mim_tf.errors import MimError
from mim_tf.values.scale import LinearScale
from tests import grid_files

SPLITS = ("train", "valid", "test")


def sources(path, total_length=4, **settings):
    data = DataConfig(dataset="grid", train_data_paths=str(path), **settings)
    height, width, channels = frame_shape(data)
    model = ModelConfig(
        img_width=width,
        img_height=height,
        img_channel=channels,
        patch_size=1,
        input_length=2,
        total_length=total_length,
    )
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


def test_splits_by_date(path):
    found = sources(path, split_dates="2015-01-05,2015-01-08")
    assert [source.size for source in found.values()] == [16 - 3, 12 - 3, 12 - 3]
    assert "13 sequences of 4 frames, 6 x 8 x 2" in describe_splits(found)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"split_dates": "2015-01-05,2016-01-08"}, "leaves no times for test: the data is from"),
        ({"split_dates": "2015-01-05,2015-01-05"}, "leaves no times for valid"),
        ({"split_dates": "2015-01-05"}, "split_dates must be two dates, where validation"),
        ({"valid_fraction": 0.9, "test_fraction": 0.5}, "valid_fraction and test_fraction"),
        ({"total_length": 9}, "for valid: change --valid_fraction .* or give --split_dates"),
        ({"total_length": 50}, "for train"),
        ({"total_length": 9, "split_dates": "2015-01-05,2015-01-06"}, "change --split_dates"),
        ({"region": (1, 2, 3)}, "region"),
    ],
)
def test_what_leaves_no_windows(path, settings, message):
    with pytest.raises(MimError, match=message):
        sources(path, **settings)


def test_no_window_crosses_a_gap_or_a_change_of_step(tmp_path):
    fields = grid_files.dataset(40).isel(time=[*range(10), *range(12, 20), *range(21, 40, 2)])
    path = grid_files.write(tmp_path / "a.nc", fields)
    source = open_fields([path], "train", False, 4, DataConfig(dataset="grid", variables="u10"))
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


def test_without_a_scale_hardly_anything_is_read(path):
    found = sources(path, scale="none", variables="u10")
    values = grid_files.dataset(40)["u10"].values
    np.testing.assert_array_equal(found["train"].sequences([5])[0, ..., 0], values[5:9])
    assert not found["train"].scale.clipped


@pytest.mark.parametrize(
    ("train", "valid"),
    [("y*.nc", "y1.nc"), ("y*.nc", "y1*.nc"), ("y0.nc,y1.nc", "."), ("y*.nc", ".")],
)
def test_no_file_is_both_trained_and_validated_on(tmp_path, train, valid):
    for number, start in enumerate(("2015-01-01", "2016-01-01")):
        grid_files.write(tmp_path / f"y{number}.nc", grid_files.dataset(8, start))
    train = ",".join(str(tmp_path / name) for name in train.split(","))
    data = DataConfig(
        dataset="grid", train_data_paths=train, valid_data_paths=str(tmp_path / valid)
    )
    model = ModelConfig(
        img_width=8, img_height=6, img_channel=2, patch_size=1, input_length=2, total_length=4
    )
    for split in SPLITS:
        with pytest.raises(MimError, match=r"y[01]\.nc: expected each .* found it in both"):
            open_source(data, model, split)


def test_grid_to_score_on_needs_no_files_to_train_on(path, tmp_path):
    data = DataConfig(
        dataset="grid",
        train_data_paths=str(tmp_path / "gone*.nc"),
        valid_data_paths=str(path),
        scale="none",
    )
    scale = LinearScale(("K", "m s-1"), (0.0, 0.0), (1.0, 1.0), clipped=False, names=("t2m", "u10"))
    model = ModelConfig(
        img_width=8,
        img_height=6,
        img_channel=2,
        patch_size=1,
        input_length=2,
        total_length=4,
        scale=scale,
    )
    assert open_source(data, model, "test").size == 37


def test_without_a_length_windows_are_as_long_as_there_are_frames(path):
    for interval, length in ((1, 12), (3, 12), (6, 7)):
        data = DataConfig(dataset="grid", frame_interval=interval)
        assert open_fields([path], "all", True, None, data).shape[0] == length


def test_frames_may_be_further_apart(path):
    halves = {"valid_fraction": 0.2, "test_fraction": 0.2}
    found = sources(
        path, frame_interval=2, window_stride=5, variables="u10", scale="none", **halves
    )
    values = grid_files.dataset(40)["u10"].values
    np.testing.assert_array_equal(found["train"].sequences([1])[0, ..., 0], values[5:12:2])
    assert found["train"].describe()["step"] == found["train"].frame_step == "12 hours"


def test_validation_may_have_files_of_its_own(tmp_path):
    grid_files.write(tmp_path / "a.nc", grid_files.dataset(10))
    grid_files.write(tmp_path / "b.nc", grid_files.dataset(8, start="2016-01-01", seed=1))
    data = {"valid_data_paths": str(tmp_path / "b.nc")}
    found = sources(tmp_path / "a.nc", **data)
    assert [source.size for source in found.values()] == [7, 5, 5]
    assert found["train"].scale == found["valid"].scale


def test_paths_are_needed():
    with pytest.raises(MimError, match="--dataset=grid needs its files: give --train_data_paths"):
        open_source(DataConfig(dataset="grid"), ModelConfig(), "train")


def test_weatherbench_by_its_flagfile(tmp_path):
    for seed, (times, start) in enumerate(((40, "2015-12-30"), (30, "2016-01-01"))):
        fields = grid_files.weatherbench(times, start, seed)
        grid_files.write(tmp_path / f"2m_temperature_{start[:4]}_5.625deg.nc", fields)
    for year, seed in (("2017", 2), ("2018", 3)):
        fields = grid_files.weatherbench(26, f"{year}-01-01", seed)
        grid_files.write(tmp_path / f"2m_temperature_{year}_5.625deg.nc", fields)
    flagfile = Path(__file__).parents[3] / "experiments" / "weatherbench.cfg"
    values, _ = COMMAND.flag_groups()
    pattern = tmp_path / "2m_temperature_201[0-8]_5.625deg.nc"
    values(["mim", f"--flagfile={flagfile}", f"--train_data_paths={pattern}"])
    data = DataConfig(**given(DataConfig, values))
    model = model_config(values, "", data)
    assert model.frame_shape == (32, 64, 1)
    found = {split: open_source(data, model, split) for split in SPLITS}
    # 12 -> 12 hours; the two years of the test do not touch.
    assert [source.size for source in found.values()] == [40 - 23, 30 - 23, 2 * (26 - 23)]
    assert found["train"].scale.unit == ("K",)
    np.testing.assert_allclose(found["train"].latitude[[0, -1]], [-87.1875, 87.1875])


def test_values_in_unit_are_looked_at_and_known_to_be(tmp_path):
    fields = grid_files.dataset(40)[["t2m"]] / 1000
    fields["t2m"].attrs["units"] = "1"
    found = sources(grid_files.write(tmp_path / "a.nc", fields), scale="unit")
    assert found["train"].scale.clipped
    frames = found["train"].sequences([0])
    missing = np.isnan(frames)
    assert missing.sum() == 1
    np.testing.assert_allclose(frames[~missing], fields["t2m"].values[:4][~missing[0, ..., 0]])
    with pytest.raises(MimError, match=r"expected values in \[0, 1\], because of --scale=unit"):
        sources(grid_files.write(tmp_path / "b.nc", fields * 10), scale="unit")
