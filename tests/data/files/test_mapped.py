import os

import numpy as np
import pytest

from mim_tf.data.files.arrays import ArraySource, Stamp, open_array
from mim_tf.data.files.images import FrameFormat
from mim_tf.data.files.npz_member import read_member
from mim_tf.data.files.videos import Video
from mim_tf.data.sets.moving_mnist.npz import NpzSource, write_npz
from mim_tf.errors import MimError
from tests import radar_files
from tests.small_videos import numbered_frames, write_video

FRAMES = np.linspace(0, 1, 2 * 5 * 8 * 6, dtype=np.float32).reshape(2, 5, 8, 6)
CHANGED = "was changed while it was in use: expected .* bytes as when it was opened, received"


def test_a_stamp(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"north")
    stamp = Stamp.of(path)
    stamp.check()
    os.utime(path, (1, 1))
    with pytest.raises(MimError, match=f"a {CHANGED} 5, with another time of change"):
        stamp.check()
    path.unlink()
    stamp.check()


@pytest.mark.parametrize("save", [np.save, np.savez])
def test_a_file_that_is_shortened_is_no_signal(tmp_path, save):
    path = tmp_path / ("a.npy" if save is np.save else "a.npz")
    save(path, FRAMES)
    array = open_array(path) if save is np.save else read_member(path, "arr_0")
    source = ArraySource(array)
    np.testing.assert_array_equal(source.sequences([1])[0, ..., 0], FRAMES[1])
    os.truncate(path, 200)
    with pytest.raises(MimError, match=rf"{path.name} {CHANGED} 200"):
        source.sequences([1])


def test_what_is_taken_is_an_ordinary_array(tmp_path):
    np.save(tmp_path / "a.npy", FRAMES)
    array = open_array(tmp_path / "a.npy")
    assert type(array[[0, 1]]) is np.ndarray
    assert isinstance(array[0, 1:], np.memmap)
    assert array.sum() == FRAMES.sum()


def test_clips_that_are_rewritten(tmp_path):
    write_npz(tmp_path / "a.npz", FRAMES, 3)
    source = NpzSource([tmp_path / "a.npz"])
    (tmp_path / "a.npz").write_bytes(b"")
    with pytest.raises(MimError, match=f"{CHANGED} 0"):
        source.sequences([0])


@pytest.mark.parametrize("save", [*radar_files.ARRAYS[:3], radar_files.save_pictures])
def test_radar_events_that_are_replaced(tmp_path, save):
    save(tmp_path / "event", radar_files.levels())
    source = radar_files.opened(tmp_path)
    for path in tmp_path.rglob("*.np*"):
        np.save(path, np.full((1, 2), np.nan)) if path.suffix == ".npy" else path.write_bytes(b"")
    for path in tmp_path.rglob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(MimError, match=CHANGED):
        source.sequences([0])


def test_a_video_that_is_replaced(tmp_path):
    path = write_video(tmp_path / "a.avi", numbered_frames(4))
    video = Video(path, FrameFormat((16, 24, 3)))
    write_video(path, numbered_frames(9))
    with pytest.raises(MimError, match=CHANGED):
        video.read([0])
