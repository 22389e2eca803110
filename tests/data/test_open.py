import imageio.v3 as imageio
import numpy as np
import pytest

import mim_tf
from mim_tf.config import DataConfig, ModelConfig
from mim_tf.data.moving_mnist.npz import write_npz
from mim_tf.data.open import open_source
from tests.data_examples import levels

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


def test_an_unknown_data_set_names_the_known_ones(tiny_config):
    with pytest.raises(mim_tf.MimError, match=r"one of: .*mnist, mnist_color.*received 'nmist'"):
        open_source(DataConfig(dataset="nmist"), tiny_config, "train")


def test_frames_of_another_size_name_both(tmp_path, tiny_config):
    np.save(tmp_path / "a.npy", np.zeros((2, 6, 16, 32, 3), np.float32))
    data = DataConfig(train_data_paths=str(tmp_path / "a.npy"))
    with pytest.raises(mim_tf.MimError, match=r"\(32, 32, 1\).*\(16, 32, 3\).*img_height"):
        open_source(data, tiny_config, "train")


def test_two_npy_files_are_refused(tiny_config):
    data = DataConfig(train_data_paths="a.npy,b.npy")
    with pytest.raises(mim_tf.MimError, match=r"one \.npy file, received 2"):
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
    values = {float(source.sequences([0]).mean()) for source in sources}
    assert values == {0.0, 0.5, 0.75}
    for source in sources:
        assert (source.scale.low, source.thresholds, source.has_missing) == (-10, (5,), True)
        assert source.missing([0]).all() == (source.sequences([0]).max() == 0)


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
