import dataclasses

import imageio.v3 as imageio
import numpy as np
import pytest

import mim_tf
from mim_tf.config import DataConfig, ModelConfig
from mim_tf.data.dataset import frame_shape, open_part, open_source
from mim_tf.data.sets.moving_mnist.npz import write_npz
from mim_tf.data.source import describe_splits
from mim_tf.errors import MimError
from mim_tf.values.scale import LinearScale
from tests.data_examples import levels, write_example

GENERATED = DataConfig(digits="bundled", train_sequences=0, valid_sequences=4, test_sequences=5)


def test_generated_splits(tiny_config):
    train, valid, test = (
        open_source(GENERATED, tiny_config, split) for split in ("train", "valid", "test")
    )
    assert (train.size, valid.size, test.size) == (None, 4, 5)
    assert train.shape == valid.shape == test.shape == (6, 32, 32, 1)
    first = [source.sequences([0]) for source in (train, valid, test)]
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first[1], first[2])
    digests = [source.describe()["digits_sha256"] for source in (train, valid, test)]
    assert len(set(digests)) == 3
    assert "bundled" in train.describe()["digits_origin"]


def test_files_by_split(tmp_path, tiny_config, tiny_frames):
    write_npz(tmp_path / "a.npz", tiny_frames, 3)
    np.save(tmp_path / "b.npy", tiny_frames[:2])
    data = DataConfig(
        train_data_paths=f"{tmp_path}/a.npz,{tmp_path}/a.npz", valid_data_paths=f"{tmp_path}/b.npy"
    )
    assert open_source(data, tiny_config, "train").size == 10
    np.testing.assert_array_equal(
        open_source(data, tiny_config, "valid").sequences([1]), tiny_frames[1:2]
    )


def test_an_unknown_split_names_the_known_ones(tiny_config):
    with pytest.raises(mim_tf.MimError, match=r"one of: train, valid, test; received 'all'"):
        open_source(DataConfig(), tiny_config, "all")


def stored(splits):
    """The number in each sequence of each split, where all values of a sequence are one."""
    return [
        set(np.rint(source.sequences(range(source.size))[:, 0, 0, 0, 0] * 255).astype(int))
        for source in splits.values()
    ]


@pytest.mark.parametrize("kind", ["npz", "npy"])
@pytest.mark.parametrize("same_again", [False, True])
def test_one_path_of_moving_mnist_is_divided_by_sequence(tmp_path, kind, same_again):
    numbers = np.arange(20, dtype=np.uint8).repeat(4 * 8 * 8).reshape(20, 4, 8, 8)
    path = tmp_path / f"a.{kind}"
    np.save(path, numbers) if kind == "npy" else write_npz(path, numbers, 2)
    again = f"{tmp_path}/./a.{kind}" if same_again else ""
    data = DataConfig("mnist", str(path), again, valid_fraction=0.1, test_fraction=0.2)
    splits = splits_of(data, model((8, 8, 1)))
    parts = stored(splits)
    assert [len(part) for part in parts] == [14, 2, 4]
    assert set.union(*parts) == set(range(20))
    assert stored(splits_of(data, model((8, 8, 1)))) == parts
    other = DataConfig("mnist", str(path), again, data_seed=1)
    assert stored(splits_of(other, model((8, 8, 1))))[1] != parts[1]


def test_moving_mnist_to_test_on_alone_stays_whole(tmp_path, tiny_config, tiny_frames):
    write_npz(tmp_path / "a.npz", tiny_frames, 3)
    data = DataConfig(valid_data_paths=f"{tmp_path}/a.npz", digits="bundled", train_sequences=7)
    train, valid, test = splits_of(data, tiny_config).values()
    assert (train.size, valid.size, test.size) == (7, 5, 5)
    assert "generated" in train.describe()["source"]
    np.testing.assert_array_equal(test.sequences([4]), tiny_frames[4:])


def test_a_recording_in_both_paths_is_refused(tmp_path):
    write_events(tmp_path, 3)
    (tmp_path / "typhoon").mkdir()
    write_events(tmp_path / "typhoon", 2)
    data = DataConfig("radar", str(tmp_path), str(tmp_path / "typhoon"))
    with pytest.raises(mim_tf.MimError, match=r"typhoon: .* found it in both"):
        open_source(data, model((8, 8, 1)), "train")


@pytest.mark.parametrize("split", ["train", "valid"])
def test_a_link_to_a_recording_of_the_other_path_is_refused(tmp_path, split):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    write_events(tmp_path / "a", 3)
    (tmp_path / "b" / "other.npy").symlink_to(tmp_path / "a" / "event1.npy")
    data = DataConfig("radar", str(tmp_path / "a"), str(tmp_path / "b"))
    with pytest.raises(MimError, match="found it in both"):
        open_source(data, model((8, 8, 1)), split)


def test_splits_are_described_in_a_line_each(tmp_path, tiny_config):
    np.save(tmp_path / "a.npy", np.zeros((10, 6, 32, 32), np.uint8))
    sources = splits_of(DataConfig(train_data_paths=str(tmp_path / "a.npy")), tiny_config)
    shape = "sequences of 6 frames, 32 x 32 x 1 (height x width x channels)"
    assert describe_splits(sources).splitlines() == [
        f"{split}: {count} {shape}, array {tmp_path}/a.npy (of its 10 sequences)"
        for split, count in (("train", 8), ("valid", 1), ("test", 1))
    ]
    endless = {"train": open_source(GENERATED, tiny_config, "train")}
    assert describe_splits(endless) == f"train: endless {shape}, generated Moving MNIST"
    write_events(tmp_path, 3)
    (tmp_path / "a.npy").unlink()
    sources = {"test": open_part(DataConfig("radar", str(tmp_path)), "all", (8, 8, 1), 4)}
    assert f"radar {tmp_path}/event0.npy and 2 more" in describe_splits(sources)


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        ("mnist", (64, 64, 1)),
        ("mnist_color", (64, 64, 3)),
        ("human", (128, 128, 3)),
        ("kth", (128, 128, 1)),
        ("radar", None),
        ("sevir", None),
        ("hko7", None),
        ("folder", None),
        ("array", None),
        ("taxibj", None),
    ],
)
def test_frame_shape_without_files(dataset, expected):
    assert frame_shape(DataConfig(dataset)) == expected


@pytest.mark.parametrize(
    "kind", ["mnist", "array", "taxibj", "radar", "sevir", "hko7", "kth", "folder"]
)
def test_frame_shape_of_files(tmp_path, kind):
    path, described = write_example(kind, tmp_path / "data")
    shape = frame_shape(DataConfig(kind, valid_data_paths=str(path)))
    assert described.endswith("frames, {} x {} x {}".format(*shape))


def test_frame_shape_of_other_layouts(tmp_path):
    np.save(tmp_path / "mnist_test_seq.npy", np.zeros((20, 21, 64, 64), np.uint8))
    assert frame_shape(DataConfig("mnist", str(tmp_path / "mnist_test_seq.npy"))) == (64, 64, 1)
    np.savez(tmp_path / "dataset.npz", X_train=np.zeros((3, 4, 2, 5, 6)))
    assert frame_shape(DataConfig("taxibj", str(tmp_path))) == (5, 6, 2)
    assert frame_shape(DataConfig("taxibj", taxibj_synthetic=True)) == (32, 32, 2)
    with pytest.raises(mim_tf.MimError, match="no such file"):
        frame_shape(DataConfig("array", str(tmp_path / "nothing.npy")))


def test_frames_of_another_size_name_both(tmp_path, tiny_config):
    np.save(tmp_path / "a.npy", np.zeros((3, 6, 16, 32, 3), np.float32))
    data = DataConfig(train_data_paths=str(tmp_path / "a.npy"))
    with pytest.raises(mim_tf.MimError, match=r"\(32, 32, 1\).*\(16, 32, 3\).*img_height"):
        open_source(data, tiny_config, "train")


def test_two_npy_files_are_refused(tiny_config):
    data = DataConfig(train_data_paths="a.npy,b.npy")
    with pytest.raises(mim_tf.MimError, match=r"\.npy"):
        open_source(data, tiny_config, "train")


def model(shape, total_length=4):
    height, width, channels = shape
    return ModelConfig(
        img_height=height,
        img_width=width,
        img_channel=channels,
        input_length=2,
        total_length=total_length,
    )


def splits_of(data, model):
    return {split: open_source(data, model, split) for split in ("train", "valid", "test")}


def recordings(source):
    return set(source.describe()["recordings"])


def write_events(folder, count):
    for i in range(count):
        np.save(folder / f"event{i}.npy", np.full((6, 8, 8), 10.0 * i, np.float32))


@pytest.mark.parametrize("dataset", ["radar", "array", "folder"])
def test_recordings_are_never_in_two_splits(tmp_path, dataset):
    if dataset == "radar":
        write_events(tmp_path, 5)
    elif dataset == "array":
        np.save(tmp_path / "videos.npy", levels(5, 6, 8, 8))
    else:
        for i in range(5):
            (tmp_path / f"video{i}").mkdir()
            for t in range(6):
                imageio.imwrite(tmp_path / f"video{i}" / f"{t}.png", levels(8, 8))
    path = tmp_path / "videos.npy" if dataset == "array" else tmp_path
    splits = splits_of(DataConfig(dataset, str(path), window_stride=2), model((8, 8, 1)))
    names = [recordings(source) for source in splits.values()]
    assert [len(each) for each in names] == [3, 1, 1]
    assert len(set.union(*names)) == 5
    assert splits["train"].size == 6
    assert splits["train"].sequences([5]).shape == (1, 4, 8, 8, 1)


def test_two_folders_are_train_and_test(tmp_path):
    for name, count in (("a", 2), ("b", 1)):
        (tmp_path / name).mkdir()
        write_events(tmp_path / name, count)
    data = DataConfig("radar", str(tmp_path / "a"), str(tmp_path / "b"))
    sizes = [source.size for source in splits_of(data, model((8, 8, 1))).values()]
    assert sizes == [6, 3, 3]


def test_radar_is_read_as_configured(tmp_path):
    write_events(tmp_path, 3)
    data = DataConfig(
        "radar", str(tmp_path), dbz_min=-10, dbz_max=30, radar_missing="0", thresholds=(5,)
    )
    sources = list(splits_of(data, model((8, 8, 1))).values())
    values = [float(source.sequences([0]).mean()) for source in sources]
    np.testing.assert_array_equal(np.sort(values), [0.5, 0.75, np.nan])
    for source in sources:
        assert (source.scale.low, source.thresholds, source.has_missing) == (-10, (5,), True)


def scaled(shape, scale):
    return dataclasses.replace(model(shape), scale=scale)


def test_radar_is_scored_on_the_scale_of_the_weights(tmp_path, caplog):
    write_events(tmp_path, 3)
    weights = scaled((8, 8, 1), LinearScale("dBZ", -10, 60))
    same = DataConfig("radar", str(tmp_path), dbz_min=-10, dbz_max=60)
    assert len(splits_of(same, weights)) == 3
    assert not caplog.records
    other = DataConfig("radar", str(tmp_path))
    message = "-10 and 1 is 60 dBZ, here 0 is 0 and 1 is 70 dBZ. Set --dbz_min and --dbz_max"
    for split in ("valid", "test"):
        with pytest.raises(MimError, match=message):
            open_source(other, weights, split)
    # To train them further is to move them to the scale of the data.
    assert open_source(other, weights, "train").scale.high == 70
    assert "another scale" in caplog.text


def test_sevir_is_scored_in_the_type_of_the_weights(tmp_path):
    path, _ = write_example("sevir", tmp_path / "data")
    data = DataConfig("sevir", str(path))
    weights = scaled(frame_shape(data), LinearScale("degC", -100, 60))
    with pytest.raises(MimError, match="Set --sevir_type"):
        open_source(data, weights, "test")


def test_weights_of_another_city_may_be_scored_on_taxibj(caplog):
    weights = scaled((32, 32, 2), LinearScale("vehicles", 0, 267))
    data = DataConfig("taxibj", taxibj_synthetic=True)
    assert open_source(data, weights, "test").scale.high != 267
    assert "another scale than they had: in the training of the weights 0 is 0 and 1 is 267" in (
        caplog.text
    )


def test_taxibj_is_read_as_configured():
    frames = {}
    for order in ("chronological", "reference"):
        data = DataConfig("taxibj", taxibj_synthetic=True, taxibj_order=order)
        source = open_source(data, model((32, 32, 2)), "test")
        assert (source.size, source.scale.unit) == (1344, "vehicles")
        frames[order] = source.sequences([3])
    np.testing.assert_array_equal(frames["reference"], frames["chronological"][:, ::-1])
    clean = DataConfig("taxibj", taxibj_synthetic=True, taxibj_split="clean")
    sizes = [open_source(each, model((32, 32, 2)), "train").size for each in (data, clean)]
    assert sizes[0] - sizes[1] == 3


def test_taxibj_has_one_set_of_files():
    with pytest.raises(mim_tf.MimError, match="divided by date"):
        open_source(DataConfig("taxibj", "a", "b"), model((32, 32, 2)), "train")


def test_colour_is_generated():
    data = DataConfig("mnist_color", digits="bundled")
    splits = splits_of(data, model((32, 32, 3)))
    assert [source.size for source in splits.values()] == [10_000, 2_000, 3_000]
    assert splits["valid"].shape == (4, 32, 32, 3)


@pytest.mark.parametrize("dataset", ["radar", "folder", "array"])
def test_files_are_asked_for(dataset):
    with pytest.raises(mim_tf.MimError, match=f"dataset={dataset} needs its files"):
        open_source(DataConfig(dataset), model((8, 8, 1)), "train")


@pytest.mark.parametrize("kind", ["sevir", "hko7", "kth"])
def test_archives_are_divided_as_published(kind, tmp_path):
    path, _ = write_example(kind, tmp_path / "data")
    data = DataConfig(kind, str(path))
    shape = frame_shape(data)
    names = [recordings(source) for source in splits_of(data, model(shape, 20)).values()]
    assert names[0]
    assert not names[0] & (names[1] | names[2])
    for two in (DataConfig(kind, str(path), str(tmp_path)), DataConfig(kind)):
        if kind != "kth":
            with pytest.raises(mim_tf.MimError, match="divided as published: expected one path"):
                open_source(two, model(shape, 20), "train")


@pytest.mark.parametrize("videos", [1, 2])
@pytest.mark.parametrize("interval", [1, 2])
def test_one_or_two_videos_are_divided_along_time(tmp_path, videos, interval):
    # Each frame has a value of its own.
    frames = np.arange(videos * 60, dtype=np.uint8).reshape(videos, 60, 1, 1)
    np.save(tmp_path / "a.npy", np.tile(frames, (1, 1, 8, 8)))
    data = DataConfig(
        dataset="array",
        valid_data_paths=str(tmp_path / "a.npy"),
        valid_fraction=0.2,
        test_fraction=0.2,
        frame_interval=interval,
    )
    model = ModelConfig(img_width=8, total_length=5, input_length=2)
    seen = []
    for split, size in (("train", 36), ("valid", 12), ("test", 12)):
        source = open_source(data, model, split)
        assert source.size == videos * (size - 4 * interval)
        levels = np.rint(source.sequences(range(source.size))[:, :, 0, 0, 0] * 255).astype(int)
        assert set(np.diff(levels).ravel()) == {interval}
        seen.append(set(levels.ravel()))
    assert sum(map(len, seen)) == len(set.union(*seen)) == videos * 60
    first_video = [sorted(values & set(range(60))) for values in seen]
    assert [values[0] for values in first_video] == [0, 36, 48]
    assert source.describe()["part_of_each_recording"] == [0.8, 1.0]


def test_recordings_that_are_too_short_are_those_of_a_split(tmp_path):
    for number in range(4):
        np.save(tmp_path / f"{number}.npy", np.zeros((6, 8, 8), np.uint8))
    model = ModelConfig(img_width=8, total_length=9, input_length=2)
    data = DataConfig(dataset="radar", train_data_paths=tmp_path)
    with pytest.raises(MimError, match=r"longest of 6 .* for test, .* change these\.$"):
        open_source(data, model, "test")
    with pytest.raises(MimError, match=r"add longer recordings\.$"):
        open_part(data, "all", (8, 8, 1), 9)
    data = DataConfig(dataset="radar", train_data_paths="other", valid_data_paths=tmp_path)
    with pytest.raises(MimError, match=r"add longer recordings\.$"):
        open_source(data, model, "test")


def test_a_part_that_is_too_short_says_what_to_change(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((1, 30, 8, 8), np.uint8))
    data = DataConfig(dataset="array", train_data_paths=str(tmp_path / "a.npy"))
    model = ModelConfig(img_width=8, total_length=5, input_length=2)
    with pytest.raises(MimError, match=r"at least 5 frames .* received 3 of 30\. Raise valid_frac"):
        open_source(data, model, "valid")
