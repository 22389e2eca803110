import numpy as np
import pytest
from PIL import Image

from mim_tf.config import DataConfig
from mim_tf.data.files.recordings import (
    array_recordings,
    frame_sizes,
    list_recordings,
    native_shape,
    open_recordings,
)
from mim_tf.errors import MimError
from tests.small_videos import HEIGHT, WIDTH, numbered_frames, write_video


def opened(recordings, frame_shape, total_length, **settings):
    return open_recordings(recordings, frame_shape, total_length, DataConfig("folder", **settings))


def write_images(folder, values, name="frame{}.png", size=(HEIGHT, WIDTH, 3)):
    """Frame n, counted from 1, is all values[n - 1]."""
    folder.mkdir()
    for n, value in enumerate(values, start=1):
        Image.fromarray(np.full(size, value, np.uint8)).save(folder / name.format(n))
    return folder


def test_recordings_are_videos_and_folders_of_images(tmp_path):
    write_images(tmp_path / "walk10", [0, 1])
    write_images(tmp_path / "walk2", [0, 1, 2])
    write_images(tmp_path / "one picture", [0])
    write_images(tmp_path / ".hidden", [0, 1])
    (tmp_path / "empty").mkdir()
    for name in ("b.mp4", "A.AVI", "c.gif", "notes.txt", "thumbnail.png", "._b.mp4"):
        (tmp_path / name).touch()
    (tmp_path / "folder.mkv").mkdir()
    names = [path.name for path in list_recordings(tmp_path)]
    assert names == ["A.AVI", "b.mp4", "c.gif", "walk2", "walk10"]


def test_a_recording_may_be_given_itself(tmp_path):
    folder = write_images(tmp_path / "a", [0, 1])
    assert list_recordings(folder) == [folder]
    (tmp_path / "b.mp4").touch()
    assert list_recordings(tmp_path / "b.mp4") == [tmp_path / "b.mp4"]
    assert list_recordings(tmp_path) == [folder, tmp_path / "b.mp4"]


def test_no_recording_says_what_was_expected(tmp_path):
    write_images(tmp_path / "a", [0])
    with pytest.raises(MimError, match=r"expected a folder with videos \(\.mp4, .*found none"):
        list_recordings(tmp_path)
    with pytest.raises(MimError, match=r"missing: expected .* found no such folder"):
        list_recordings(tmp_path / "missing")


def test_windows_of_all_kinds_of_recordings(tmp_path):
    write_video(tmp_path / "b.mkv", numbered_frames(5))
    write_images(tmp_path / "a", [10, 20, 30, 40])
    np.save(tmp_path / "c.npy", np.full((2, 4, HEIGHT, WIDTH, 3), 99, np.uint8))
    recordings = [*list_recordings(tmp_path), *array_recordings(tmp_path / "c.npy")[1:]]
    source = opened(recordings, (HEIGHT, WIDTH, 3), 2, window_stride=2, frame_interval=2)
    assert source.shape == (2, HEIGHT, WIDTH, 3)
    # Starts 0; 0 and 2; 0.
    assert source.size == 4
    got = source.sequences([0, 1, 2, 3])
    assert got.dtype == np.float32
    np.testing.assert_allclose(
        got[:, :, 0, 0, 0] * 255, [[10, 30], [0, 6], [6, 12], [99, 99]], rtol=1e-6
    )
    assert source.describe() == {
        "source": "recordings",
        "window_stride": 2,
        "frame_interval": 2,
        "resize": False,
        "sequences": 4,
        "shape": [2, HEIGHT, WIDTH, 3],
        "recordings": [str(tmp_path / "a"), str(tmp_path / "b.mkv"), f"{tmp_path}/c.npy[1]"],
    }


def test_images_come_in_natural_order(tmp_path):
    folder = write_images(tmp_path / "a", range(1, 13))
    got = opened([folder], (HEIGHT, WIDTH, 3), 12).sequences([0])
    np.testing.assert_allclose(got[0, :, 0, 0, 0] * 255, range(1, 13), rtol=1e-6)


def test_channels_are_converted(tmp_path):
    colour = write_images(tmp_path / "a", [[255, 0, 0], [0, 255, 0]])
    grey = write_images(tmp_path / "b", [7, 8], size=(HEIGHT, WIDTH))
    got = opened([colour, grey], (HEIGHT, WIDTH, 1), 2).sequences([0, 1])
    np.testing.assert_allclose(got[:, :, 0, 0, 0] * 255, [[76, 150], [7, 8]], rtol=1e-6)
    got = opened([grey], (HEIGHT, WIDTH, 3), 2).sequences([0])
    np.testing.assert_allclose(got[0, 1, 0, 0] * 255, [8, 8, 8], rtol=1e-6)
    with pytest.raises(MimError, match="img_channel = 2"):
        opened([grey], (HEIGHT, WIDTH, 2), 2)


def test_sixteen_bits_are_scaled_to_eight(tmp_path):
    folder = tmp_path / "a"
    folder.mkdir()
    for n, level in enumerate((0, 257 * 100)):
        Image.fromarray(np.full((4, 4), level, np.uint16)).save(folder / f"{n}.png")
    got = opened([folder], (4, 4, 1), 2).sequences([0])
    np.testing.assert_allclose(got[0, :, 0, 0, 0] * 255, [0, 100], rtol=1e-6)


def test_other_sizes_are_refused_or_resized(tmp_path):
    folder = write_images(tmp_path / "a", [10, 20])
    with pytest.raises(MimError, match=r"a: expected frames of 8 x 9 .*received 16 x 24.*--resize"):
        opened([folder], (8, 9, 3), 2)
    got = opened([folder], (8, 9, 3), 2, resize=True).sequences([0])
    assert got.shape == (1, 2, 8, 9, 3)
    np.testing.assert_allclose(got[0, 1] * 255, 20, rtol=1e-6)


def test_a_later_image_of_another_size_is_named(tmp_path):
    folder = write_images(tmp_path / "a", [10, 20])
    Image.new("RGB", (5, 4)).save(folder / "frame3.png")
    source = opened([folder], (HEIGHT, WIDTH, 3), 2)
    source.sequences([0])
    with pytest.raises(MimError, match=r"frame3\.png: .*received 4 x 5"):
        source.sequences([1])


def test_an_image_that_cannot_be_decoded_is_named(tmp_path):
    folder = write_images(tmp_path / "a", [10, 20])
    whole = (folder / "frame2.png").read_bytes()
    (folder / "frame2.png").write_bytes(whole[: len(whole) // 2])
    source = opened([folder], (HEIGHT, WIDTH, 3), 2)
    with pytest.raises(MimError, match=r"frame2\.png: expected a picture"):
        source.sequences([0])


def test_recordings_that_are_too_short_are_counted(tmp_path):
    folder = write_images(tmp_path / "a", [10, 20])
    with pytest.raises(MimError, match=r"at least 3 frames.*the longest of 2"):
        opened([folder], (HEIGHT, WIDTH, 3), 3)


def test_sizes_are_known_before_anything_is_decoded(tmp_path):
    folder = write_images(tmp_path / "a", [10, 20])
    Image.new("L", (5, 4)).save(folder / "small.png")
    write_video(tmp_path / "b.mkv", numbered_frames(2))
    recordings = list_recordings(tmp_path)
    assert frame_sizes(recordings) == {(HEIGHT, WIDTH): 3, (4, 5): 1}
    assert [native_shape(each) for each in recordings] == [(HEIGHT, WIDTH, 3)] * 2


def test_links_to_a_folder_above_are_no_recordings(tmp_path):
    folder = write_images(tmp_path / "a", [10, 20])
    (folder / "loop").symlink_to(".")
    assert list_recordings(folder) == [folder]
    (folder / "up").symlink_to("..")
    assert list_recordings(tmp_path) == [folder]
