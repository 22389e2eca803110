"""Crops: where they come from, and that they are the same at any time and in any batch."""

import numpy as np
import pytest

from mim_tf.config import DataConfig
from mim_tf.data.dataset import frame_shape, open_source
from mim_tf.errors import MimError
from tests.data_examples import model_for

HEIGHT, WIDTH = 10, 14


@pytest.fixture
def path(tmp_path):
    """60 frames whose values say where they are: row, column and time, in [0, 1]."""
    time, row, column = np.indices((60, HEIGHT, WIDTH))
    numbers = (time * HEIGHT + row) * WIDTH + column
    np.save(tmp_path / "frames.npy", numbers[None, ..., None] / 1e4)
    return tmp_path / "frames.npy"


def opened(path, split="train", crop=4, **settings):
    data = DataConfig("array", path, crop=crop, **settings)
    return open_source(data, model_for((crop, crop, 1), 3), split)


def places(sequences):
    """(time, row, column) of the smallest value of each frame."""
    numbers = np.round(sequences.min(axis=(2, 3, 4)) * 1e4).astype(int)
    return numbers // (HEIGHT * WIDTH), numbers // WIDTH % HEIGHT, numbers % WIDTH


def test_crops_are_squares_that_stay_where_they_are(path):
    source = opened(path)
    assert (source.size, source.shape) == (None, (3, 4, 4, 1))
    drawn = source.sequences(range(300))
    times, rows, columns = places(drawn)
    assert (np.diff(times) == 1).all()
    assert (np.diff(rows) == 0).all()
    assert (np.diff(columns) == 0).all()
    assert set(rows[:, 0]) == set(range(HEIGHT - 3))
    assert set(columns[:, 0]) == set(range(WIDTH - 3))
    steps = np.round(np.diff(drawn[0, 0, :, :, 0], axis=1) * 1e4)
    assert (steps == 1).all()  # neither turned nor mirrored


def test_the_same_index_is_the_same_crop(path):
    settings = {"wet_share": 0.5, "turned": True}
    first = opened(path, **settings).sequences([7, 3, 9])
    np.testing.assert_array_equal(opened(path, **settings).sequences([3])[0], first[1])


def test_each_window_of_the_other_splits_gives_one_crop(path):
    source = opened(path, "valid", valid_fraction=0.2, turned=True)
    assert source.size == 10
    times, _, _ = places(source.sequences(range(10)))
    assert len(set(times[:, 0])) == 10


def test_turned_crops_have_eight_orientations(path):
    drawn = opened(path, turned=True).sequences(range(200))[:, 0, :, :, 0]
    corners = {tuple(np.argsort(each[[0, 0, -1, -1], [0, -1, 0, -1]])) for each in drawn}
    assert len(corners) == 8


def test_wet_crops_have_more_rain(path):
    dry, wet = (opened(path, wet_share=share).sequences(range(100)).mean() for share in (0, 1))
    assert wet > 1.5 * dry  # values grow with time: the largest of eight comes from late windows


def test_frames_have_the_size_of_crops(path):
    assert frame_shape(DataConfig("array", path, crop=4)) == (4, 4, 1)


def test_a_crop_larger_than_the_frames(path):
    with pytest.raises(MimError, match="crop"):
        opened(path, crop=11)


@pytest.mark.parametrize("settings", [{"turned": True}, {"wet_share": 0.5}])
def test_settings_of_crops_without_crops(settings):
    with pytest.raises(MimError, match="--crop"):
        DataConfig("array", **settings)


def test_wet_crops_are_where_something_was_measured(tmp_path):
    frames = np.full((1, 20, 16, 16, 1), -30.0)  # no echo, below 0
    frames[:, :, :8, 2:6] = 40
    frames[:, :, :, 8:] = np.nan  # out of reach
    np.save(tmp_path / "a.npy", frames)
    drawn = opened(tmp_path / "a.npy", wet_share=1, scale="minmax").sequences(range(100))
    assert not np.isnan(drawn).all(axis=(1, 2, 3, 4)).any()
