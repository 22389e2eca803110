import numpy as np
import pytest

import mim_tf
from mim_tf.data.npz import write_npz
from mim_tf.data.open import open_source

GENERATED = mim_tf.DataConfig(
    digits="bundled", train_sequences=0, valid_sequences=4, test_sequences=5
)


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
    assert digests[0] != digests[1] == digests[2]
    assert "bundled" in train.describe()["digits_origin"]


def test_files_by_split(tmp_path, tiny_config, tiny_frames):
    write_npz(tmp_path / "a.npz", tiny_frames, 3)
    np.save(tmp_path / "b.npy", tiny_frames[:2])
    data = mim_tf.DataConfig(
        train_data_paths=f"{tmp_path}/a.npz,{tmp_path}/a.npz", valid_data_paths=f"{tmp_path}/b.npy"
    )
    assert open_source(data, tiny_config, "train").size == 10
    np.testing.assert_array_equal(
        open_source(data, tiny_config, "valid").sequences([1]), tiny_frames[1:2]
    )


def test_an_unknown_data_set_names_the_known_ones(tiny_config):
    with pytest.raises(mim_tf.MimError, match=r"one of: .*mnist, mnist_color.*received 'nmist'"):
        open_source(mim_tf.DataConfig(dataset="nmist"), tiny_config, "train")


def test_frames_of_another_size_name_both(tmp_path, tiny_config):
    np.save(tmp_path / "a.npy", np.zeros((2, 6, 16, 32, 3), np.float32))
    data = mim_tf.DataConfig(train_data_paths=str(tmp_path / "a.npy"))
    with pytest.raises(mim_tf.MimError, match=r"\(32, 32, 1\).*\(16, 32, 3\).*img_height"):
        open_source(data, tiny_config, "train")


def test_two_npy_files_are_refused(tiny_config):
    data = mim_tf.DataConfig(train_data_paths="a.npy,b.npy")
    with pytest.raises(mim_tf.MimError, match=r"one \.npy file, received 2"):
        open_source(data, tiny_config, "train")
