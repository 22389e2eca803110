import numpy as np
import pytest
from PIL import Image

from mim_tf.config import DataConfig
from mim_tf.data.files.recordings import (
    array_recordings,
    list_recordings,
    open_folder,
    open_recordings,
)
from mim_tf.errors import MimError
from tests.small_pictures import png
from tests.small_videos import HEIGHT, WIDTH, numbered_frames, write_video


def opened(recordings, frame_shape, total_length, **settings):
    return open_recordings(recordings, frame_shape, total_length, DataConfig("folder", **settings))


def write_images(folder, values, size=(HEIGHT, WIDTH, 3), dtype=np.uint8):
    """Write pictures; all pixels of picture n, counted from 1, are values[n - 1]."""
    folder.mkdir(parents=True)
    for n, value in enumerate(values, start=1):
        Image.fromarray(np.full(size, value, dtype)).save(folder / f"frame{n}.png")
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
    assert list_recordings(tmp_path / "walk2") == [tmp_path / "walk2"]
    assert list_recordings(tmp_path / "b.mp4") == [tmp_path / "b.mp4"]


def test_links_to_a_folder_above_are_no_recordings(tmp_path):
    folder = write_images(tmp_path / "a", [10, 20])
    (folder / "loop").symlink_to(".")
    assert list_recordings(folder) == [folder]
    (folder / "up").symlink_to("..")
    assert list_recordings(tmp_path) == [folder]


def test_files_that_may_be_one_recording_twice_are_named(tmp_path, caplog):
    folder = write_images(tmp_path / "walk", [0, 1])
    list_recordings(tmp_path)
    assert not caplog.records
    (tmp_path / "walk.mp4").touch()
    (tmp_path / "run.mp4").touch()
    assert len(list_recordings(tmp_path)) == 3
    list_recordings(tmp_path)
    (warning,) = caplog.messages
    assert "walk.mp4" in warning
    (folder / "preview.gif").touch()
    assert list_recordings(folder) == [folder / "preview.gif"]
    assert "preview.gif" in caplog.messages[-1]


def test_a_recording_that_is_given_twice_is_in_one_split(tmp_path):
    for name in "abc":
        write_images(tmp_path / "all" / name, [0, 1])
    (tmp_path / "all" / "d").symlink_to("a")
    data = DataConfig("folder", f"{tmp_path}/all,{tmp_path}/all/b")
    names = [
        open_folder(data, split, (HEIGHT, WIDTH, 3), 2).describe()["recordings"]
        for split in ("train", "valid", "test")
    ]
    assert list(map(len, names)) == [1, 1, 1]
    assert len({name.replace("all/d", "all/a") for (name,) in names}) == 3


def test_folders_without_recordings_are_refused(tmp_path):
    write_images(tmp_path / "a", [0])
    write_images(tmp_path / "train" / "walk", [0, 1])
    (tmp_path / "a.ppm").touch()
    found = {"": "a, a.ppm, train. Give the folder", "missing": "no such", "a.ppm": "another kind"}
    for name, words in found.items():
        with pytest.raises(MimError, match=rf"{name}: .*\.mp4.*\.png.*, got .*{words}"):
            list_recordings(tmp_path / name)


def test_windows_of_all_kinds_of_recordings(tmp_path):
    write_video(tmp_path / "b.mkv", numbered_frames(5))
    write_images(tmp_path / "a", [10, 20, 30, 40])
    np.save(tmp_path / "c.npy", np.full((2, 4, HEIGHT, WIDTH, 3), 99, np.uint8))
    recordings = [*list_recordings(tmp_path), *array_recordings(tmp_path / "c.npy")[1:]]
    source = opened(recordings, (HEIGHT, WIDTH, 3), 2, window_stride=2, frame_interval=2)
    got = source.sequences([0, 1, 2, 3])  # They start at 0; 0 and 2; 0.
    assert got.dtype == np.float32
    np.testing.assert_allclose(
        got[:, :, 0, 0, 0] * 255, [[10, 30], [0, 6], [6, 12], [99, 99]], rtol=1e-6
    )
    described = source.describe()
    assert described["recordings"] == [f"{tmp_path}/{name}" for name in ("a", "b.mkv", "c.npy[1]")]
    assert (described["window_stride"], described["frame_interval"]) == (2, 2)


def test_gifs_of_one_frame_are_logged_once(tmp_path, caplog):
    for name in "12":  # as radar pictures are
        Image.new("L", (WIDTH, HEIGHT)).save(tmp_path / f"{name}.gif")
    opened(list_recordings(tmp_path), (HEIGHT, WIDTH, 1), 1)
    (warning,) = caplog.messages
    assert f"{tmp_path}: a video of one frame" in warning


def test_channels_and_levels_are_converted(tmp_path):
    colour = write_images(tmp_path / "a", [[255, 0, 0], [0, 255, 0]])
    grey = write_images(tmp_path / "b", [7, 8], (HEIGHT, WIDTH))
    deep = write_images(tmp_path / "c", [0, 257 * 100], (HEIGHT, WIDTH), np.uint16)
    got = opened([colour, grey, deep], (HEIGHT, WIDTH, 1), 2).sequences([0, 1, 2])
    np.testing.assert_allclose(got[:, :, 0, 0, 0] * 255, [[76, 150], [7, 8], [0, 100]], rtol=1e-6)
    got = opened([grey], (HEIGHT, WIDTH, 3), 2).sequences([0])
    np.testing.assert_allclose(got[0, 1, 0, 0] * 255, [8, 8, 8], rtol=1e-6)
    with pytest.raises(MimError, match="--img_channel"):
        opened([grey], (HEIGHT, WIDTH, 2), 2)


@pytest.mark.parametrize(
    ("largest", "logged"), [(2**14 - 1, "frame1.png: expected levels 0..65535"), (2**14, "")]
)
def test_levels_of_16_bits_are_kept_and_dark_ones_are_logged(tmp_path, caplog, largest, logged):
    levels = [largest, 1, 4095]
    folder = write_images(tmp_path / "a", levels, (HEIGHT, WIDTH), np.uint16)
    got = opened([folder], (HEIGHT, WIDTH, 1), 3).sequences([0])[0, :, 0, 0, 0]
    np.testing.assert_allclose(got, np.divide(levels, 65535), rtol=1e-6)
    assert bool(caplog.records) == bool(logged)
    assert logged in caplog.text


@pytest.mark.parametrize(
    ("pixel", "logged"),
    [(1, "1.png: expected levels 0..255, got 0 and 1"), ((9, 9, 9, 0), "transparent"), (2, "")],
)
def test_masks_and_transparent_pictures_are_logged(tmp_path, caplog, pixel, logged):
    folder = write_images(tmp_path / "a", [pixel] * 2, (HEIGHT, WIDTH, *np.shape(pixel)))
    opened([folder], (HEIGHT, WIDTH, 3), 2)
    assert bool(caplog.records) == bool(logged)
    assert logged in caplog.text


def test_colours_of_16_bits_are_logged(tmp_path, caplog):
    (tmp_path / "a").mkdir()
    rows = (b"\0" + b"\x01\x2c" * 3 * WIDTH) * HEIGHT
    for name in ("1.png", "2.png"):
        (tmp_path / "a" / name).write_bytes(png(WIDTH, HEIGHT, rows, bits=16, colour=2))
    opened([tmp_path / "a"], (HEIGHT, WIDTH, 3), 2)
    assert "colours of 16 bits are read as 8 bits" in caplog.text


def test_other_sizes_are_refused_or_resized(tmp_path):
    folder = write_images(tmp_path / "a", [10, 20])
    with pytest.raises(MimError, match=r"a: .*--resize"):
        opened([folder], (8, 9, 3), 2)
    got = opened([folder], (8, 9, 3), 2, resize=True).sequences([0])
    assert got.shape == (1, 2, 8, 9, 3)
    np.testing.assert_allclose(got[0, 1] * 255, 20, rtol=1e-6)


def test_a_later_image_that_does_not_fit_is_found_when_read(tmp_path):
    folder = write_images(tmp_path / "a", [10, 20])
    Image.new("RGB", (5, 4)).save(folder / "frame3.png")
    (folder / "frame4.png").write_bytes(b"damaged")
    source = opened([folder], (HEIGHT, WIDTH, 3), 2)
    source.sequences([0])
    for window, name in ((1, "frame3.png"), (2, r"frame[34]\.png")):
        with pytest.raises(MimError, match=name):
            source.sequences([window])
