"""Every data set opened as configured: which files, divided how, on which scale."""

import dataclasses
import datetime

import imageio.v3 as imageio
import numpy as np
import pytest

from mim_tf.config import DataConfig
from mim_tf.data.dataset import frame_shape, open_part, open_source
from mim_tf.data.sets.moving_mnist.npz import write_npz
from mim_tf.data.source import describe_splits
from mim_tf.data.split import is_test_validation
from mim_tf.errors import MimError
from mim_tf.values.grid import Axis, FrameGrid
from mim_tf.values.scale import LinearScale
from tests import taxibj_files
from tests.data_examples import levels, model_for, write_example
from tests.grid_files import dataset
from tests.grid_files import write as write_grid
from tests.small_pictures import save_pictures

GENERATED = DataConfig(digits="bundled", train_sequences=0, valid_sequences=4, test_sequences=5)
SPLITS = ("train", "valid", "test")
MODEL = model_for((8, 8, 1))


def splits_of(data, model=MODEL):
    return {split: open_source(data, model, split) for split in SPLITS}


def write_events(folder, count):
    folder.mkdir(exist_ok=True)
    for i in range(count):
        np.save(folder / f"event{i}.npy", np.full((6, 8, 8), 10.0 * i, np.float32))
    return folder


def test_generated_splits_have_their_own_digits(tiny_config):
    sources = splits_of(GENERATED, tiny_config).values()
    assert [source.size for source in sources] == [None, 4, 5]
    assert {source.shape for source in sources} == {(6, 32, 32, 1)}
    assert len({source.sequences([0]).tobytes() for source in sources}) == 3
    assert len({source.describe()["digits_sha256"] for source in sources}) == 3
    assert all("bundled" in source.describe()["digits_origin"] for source in sources)


def test_files_by_split(tmp_path, tiny_config, tiny_frames):
    write_npz(tmp_path / "a.npz", tiny_frames, 3)
    np.save(tmp_path / "b.npy", tiny_frames[:2])
    write_npz(tmp_path / "c.npz", tiny_frames, 3)
    both = [tmp_path / "a.npz", tmp_path / "c.npz"]
    data = DataConfig(train_data_paths=both, valid_data_paths=tmp_path / "b.npy")
    assert open_source(data, tiny_config, "train").size == 10
    valid = open_source(data, tiny_config, "valid")
    np.testing.assert_array_equal(valid.sequences([1]), tiny_frames[1:2])
    # Files to test on alone stay whole, and training sequences are generated.
    alone = DataConfig(valid_data_paths=f"{tmp_path}/a.npz", digits="bundled", train_sequences=7)
    sources = splits_of(alone, tiny_config).values()
    assert [source.size for source in sources] == [7, 5, 5]


@pytest.mark.parametrize("kind", ["npz", "npy"])
def test_one_path_of_moving_mnist_is_divided_by_sequence(tmp_path, kind):
    def stored(data):
        """The numbers of the sequences in each split."""
        splits = splits_of(data).values()
        firsts = [each.sequences(range(each.size))[:, 0, 0, 0, 0] for each in splits]
        return [set(np.rint(values * 255).astype(int)) for values in firsts]

    numbers = np.arange(20, dtype=np.uint8).repeat(4 * 8 * 8).reshape(20, 4, 8, 8)
    path = tmp_path / f"a.{kind}"
    np.save(path, numbers) if kind == "npy" else write_npz(path, numbers, 2)
    data = DataConfig("mnist", str(path), valid_fraction=0.1, test_fraction=0.2)
    parts = stored(data)
    assert [len(part) for part in parts] == [14, 2, 4]
    assert set.union(*parts) == set(range(20))
    assert stored(dataclasses.replace(data, valid_data_paths=f"{tmp_path}/./a.{kind}")) == parts
    assert stored(dataclasses.replace(data, data_seed=1))[1] != parts[1]


@pytest.mark.parametrize("dataset", ["radar", "array", "folder"])
def test_recordings_are_never_in_two_splits(tmp_path, dataset):
    path = tmp_path / ("a.npy" if dataset == "array" else "a")
    if dataset == "array":
        np.save(path, levels(5, 6, 8, 8))
    else:
        for i in range(5):
            save_pictures(path / f"video{i}", [levels(8, 8)] * 6)
    splits = splits_of(DataConfig(dataset, str(path), window_stride=2))
    names = [set(source.describe()["recordings"]) for source in splits.values()]
    assert [len(each) for each in names] == [3, 1, 1]
    assert len(set.union(*names)) == 5
    assert splits["train"].size == 6
    assert splits["train"].sequences([5]).shape == (1, 4, 8, 8, 1)


@pytest.mark.parametrize(("split", "is_link"), [("train", False), ("train", True), ("valid", True)])
def test_a_recording_in_both_paths_is_refused(tmp_path, split, is_link):
    first, second = write_events(tmp_path / "a", 3), tmp_path / "a" / "typhoon"
    if is_link:
        second = tmp_path / "b"
        second.mkdir()
        (second / "other.npy").symlink_to(first / "event1.npy")
    else:
        write_events(second, 2)
    data = DataConfig("radar", str(first), str(second))
    with pytest.raises(MimError, match="in both"):
        open_source(data, MODEL, split)


@pytest.mark.parametrize("videos", [1, 2])
@pytest.mark.parametrize("interval", [1, 2])
def test_one_or_two_videos_are_divided_along_time(tmp_path, videos, interval):
    # Each frame has a value of its own.
    frames = np.arange(videos * 60, dtype=np.uint8).reshape(videos, 60, 1, 1)
    np.save(tmp_path / "a.npy", np.tile(frames, (1, 1, 8, 8)))
    fractions = {"valid_fraction": 0.2, "test_fraction": 0.2}
    data = DataConfig("array", "", tmp_path / "a.npy", frame_interval=interval, **fractions)
    seen = []
    for split, size in (("train", 36), ("valid", 12), ("test", 12)):
        source = open_source(data, model_for((8, 8, 1), 5), split)
        assert source.size == videos * (size - 4 * interval)
        shown = np.rint(source.sequences(range(source.size))[:, :, 0, 0, 0] * 255).astype(int)
        assert set(np.diff(shown).ravel()) == {interval}
        seen.append(set(shown.ravel()))
    assert sum(map(len, seen)) == len(set.union(*seen)) == videos * 60
    first_video = [sorted(values & set(range(60))) for values in seen]
    assert [values[0] for values in first_video] == [0, 36, 48]
    assert source.describe()["part_of_each_recording"] == [0.8, 1.0]


def test_radar_is_scored_on_the_scale_of_the_weights(tmp_path, caplog):
    path = str(write_events(tmp_path / "data", 3))
    weights = model_for((8, 8, 1), scale=LinearScale("dBZ", -10, 60))
    assert len(splits_of(DataConfig("radar", path, dbz_min=-10, dbz_max=60), weights)) == 3
    assert not caplog.records
    for split in ("valid", "test"):
        with pytest.raises(MimError, match="--dbz_min and --dbz_max"):
            open_source(DataConfig("radar", path), weights, split)
    # To train them further is to move them to the scale of the data.
    assert open_source(DataConfig("radar", path), weights, "train").scale.high == 70
    assert "another scale" in caplog.text


GRID = FrameGrid(Axis("lat", 8, (1.0, 8.0)), Axis("lon", 8, (1.0, 8.0)))


@pytest.mark.parametrize(
    ("learnt", "words"),
    [
        ({}, ""),
        ({"scale": LinearScale("dBZ", 0, 60)}, "0 is 0 and 1 is 60 dBZ"),
        ({"frame_step": "6 hours"}, "6 hours apart"),
        ({"frame_grid": GRID}, "8 lat (1 to 8)"),
    ],
)
@pytest.mark.parametrize("split", ["train", "test"])
def test_weights_that_know_more_of_frames_than_the_data_tells(
    split, learnt, words, tmp_path, caplog
):
    data = DataConfig("mnist", train_data_paths=str(tmp_path / "a.npy"))
    np.save(tmp_path / "a.npy", levels(10, 4, 8, 8))
    open_source(data, dataclasses.replace(MODEL, **learnt), split)
    assert words in caplog.text
    assert len(caplog.records) == bool(words)


def test_frames_at_another_distance_than_in_training(tmp_path, caplog):
    write_grid(tmp_path / "a.nc", dataset(40)[["u10"]])
    data = DataConfig("grid", train_data_paths=str(tmp_path / "a.nc"))
    scale = open_source(data, model_for((6, 8, 1)), "train").scale
    for step, warned in (("", False), ("6 hours", False), ("1 hour", True)):
        open_source(data, model_for((6, 8, 1), scale=scale, frame_step=step), "test")
        assert ("Set --frame_interval" in caplog.text) == warned


@pytest.mark.parametrize(
    ("settings", "is_one"),
    [
        ({"dataset": "kth", "train_data_paths": "a"}, True),
        ({"dataset": "human", "train_data_paths": "a"}, True),
        ({"dataset": "taxibj", "taxibj_synthetic": True}, True),
        ({"dataset": "array", "train_data_paths": "a", "valid_data_paths": "b"}, True),
        ({"dataset": "array", "train_data_paths": "a", "valid_data_paths": "a"}, False),
        ({"dataset": "array", "valid_data_paths": "a"}, False),
        ({"dataset": "mnist", "valid_data_paths": "a"}, True),
        ({"dataset": "mnist", "train_data_paths": "a"}, False),
        ({"dataset": "mnist"}, False),
        ({"dataset": "sevir", "train_data_paths": "a"}, False),
    ],
)
def test_whether_weights_are_chosen_on_the_test_sequences(settings, is_one):
    assert is_test_validation(DataConfig(**settings)) == is_one


def test_sevir_is_scored_in_the_type_of_the_weights(tmp_path):
    path, _ = write_example("sevir", tmp_path / "data")
    data = DataConfig("sevir", str(path))
    weights = model_for(frame_shape(data), scale=LinearScale("degC", -100, 60))
    with pytest.raises(MimError, match="--sevir_type"):
        open_source(data, weights, "test")


def test_weights_of_another_city_may_be_scored(tmp_path, caplog):
    dates = taxibj_files.dates(datetime.date(2013, 7, 1), 32)
    counts = taxibj_files.counts(len(dates), 0)[:, :, :1].repeat(4, axis=2)
    path = taxibj_files.write_h5(tmp_path / "a.h5", counts, dates)
    weights = model_for((4, 4, 2), scale=LinearScale("vehicles", 0, 267))
    assert open_source(DataConfig("taxibj", str(path)), weights, "test").scale.high == 99
    assert "another scale" in caplog.text


def test_frame_shape_without_files():
    known = {"mnist": (64, 64, 1), "mnist_color": (64, 64, 3), "human": (128, 128, 3)}
    unknown = dict.fromkeys(("radar", "sevir", "hko7", "folder", "array", "taxibj"))
    shapes = known | unknown | {"kth": (128, 128, 1)}
    assert {name: frame_shape(DataConfig(name)) for name in shapes} == shapes


def test_frame_shape_of_other_layouts(tmp_path):
    np.save(tmp_path / "mnist_test_seq.npy", np.zeros((20, 21, 64, 64), np.uint8))
    assert frame_shape(DataConfig("mnist", str(tmp_path / "mnist_test_seq.npy"))) == (64, 64, 1)
    np.savez(tmp_path / "dataset.npz", X_train=np.zeros((3, 4, 2, 5, 6)))
    assert frame_shape(DataConfig("taxibj", str(tmp_path))) == (5, 6, 2)
    assert frame_shape(DataConfig("taxibj", taxibj_synthetic=True)) == (32, 32, 2)
    with pytest.raises(MimError, match=r"nothing\.npy"):
        frame_shape(DataConfig("array", str(tmp_path / "nothing.npy")))
    # Weights are scored on other data, too, where those of their training are not.
    apart = DataConfig("array", str(tmp_path / "nothing.npy"), str(tmp_path / "mnist_test_seq.npy"))
    assert frame_shape(apart, "test") == (64, 64, 1)


@pytest.mark.parametrize(
    ("data", "split", "named"),
    [
        (DataConfig(), "all", "train, valid, test"),
        (DataConfig(train_data_paths="a.npy,b.npy"), "train", ".npy"),
        (DataConfig("taxibj", "a", "b"), "train", "--train_data_paths alone"),
        *(
            (DataConfig(name), "train", f"dataset={name} needs its files")
            for name in ("radar", "folder", "array", "grid")
        ),
        *(
            (DataConfig(name, *paths), "train", "--train_data_paths alone")
            for name in ("sevir", "hko7")
            for paths in ((), ("a", "b"))
        ),
    ],
)
def test_paths_and_splits_that_cannot_be_opened(data, split, named):
    with pytest.raises(MimError, match=named):
        open_source(data, MODEL, split)


def test_frames_of_another_size(tmp_path, tiny_config):
    np.save(tmp_path / "a.npy", np.zeros((3, 6, 16, 32, 3), np.float32))
    data = DataConfig(train_data_paths=str(tmp_path / "a.npy"))
    with pytest.raises(MimError, match=r"\(32, 32, 1\).*\(16, 32, 3\).*img_height"):
        open_source(data, tiny_config, "train")


@pytest.mark.parametrize(
    ("paths", "split", "total_length", "named"),
    [
        (("data", ""), "test", 9, "for test: change --valid_fraction"),
        (("data", ""), "all", 9, r"add longer recordings\.$"),
        (("other", "data"), "test", 9, r"add longer recordings\.$"),
        (("a.npy", ""), "valid", 5, "Raise valid_fraction"),
    ],
)
def test_recordings_that_are_too_short(in_tmp, paths, split, total_length, named):
    write_events(in_tmp / "data", 4)
    np.save("a.npy", np.zeros((1, 30, 8, 8), np.uint8))
    data = DataConfig("array" if "a.npy" in paths else "radar", *paths)
    with pytest.raises(MimError, match=named):
        open_part(data, split, (8, 8, 1), total_length)


def test_splits_are_described_in_a_line_each(tmp_path, tiny_config):
    np.save(tmp_path / "a.npy", np.zeros((10, 6, 32, 32), np.uint8))
    sources = splits_of(DataConfig(train_data_paths=tmp_path / "a.npy"), tiny_config)
    shape = "sequences of 6 frames, 32 x 32 x 1 (height x width x channels)"
    assert describe_splits(sources).splitlines() == [
        f"{split}: {count} {shape}, array {tmp_path}/a.npy (of its 10 sequences)"
        for split, count in (("train", 8), ("valid", 1), ("test", 1))
    ]
    endless = {"train": open_source(GENERATED, tiny_config, "train")}
    assert describe_splits(endless) == f"train: endless {shape}, generated Moving MNIST"


def test_a_set_that_is_not_one_path_has_no_whole(tmp_path):
    for name in ("a", "b"):
        write_example("folder", tmp_path / name)
    data = DataConfig("folder", tmp_path / "a", tmp_path / "b")
    with pytest.raises(MimError, match="split to be one of"):
        open_source(data, model_for((16, 16, 1)), "all")


def test_crops_of_colour_pictures_are_grey_for_a_grey_network(tmp_path):
    save_pictures(tmp_path / "a", levels(12, 20, 24, 3))
    settings = {"valid_fraction": 0.4, "test_fraction": 0.3}
    data = DataConfig("folder", tmp_path, crop=8, **settings)
    assert open_source(data, model_for((8, 8, 1), 3), "train").shape == (3, 8, 8, 1)


def test_pictures_that_change_are_refused(tmp_path):
    save_pictures(tmp_path / "a", levels(12, 8, 8))
    data = DataConfig("folder", tmp_path, valid_fraction=0.4, test_fraction=0.3)
    source = open_source(data, model_for((8, 8, 1), 3), "train")
    imageio.imwrite(tmp_path / "a" / "frame1.png", np.eye(8, dtype=np.uint8))
    with pytest.raises(MimError, match="was changed"):
        source.sequences([0])


def test_folders_beside_recordings_are_told(tmp_path, caplog):
    for name in ("a", "b", "c", "more/d"):
        save_pictures(tmp_path / name, levels(4, 8, 8))
    open_source(DataConfig("folder", tmp_path), model_for((8, 8, 1), 3), "train")
    assert f"{tmp_path / 'more'} is not read" in caplog.text
