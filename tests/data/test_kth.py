import imageio.v3 as imageio
import numpy as np
import pytest

from mim_tf.config import DataConfig
from mim_tf.data.sets.kth import open_kth
from mim_tf.errors import MimError
from tests.small_videos import numbered_frames, write_video

LEVEL = np.full((12, 16), 9, np.uint8)


def write_pictures(folder, name, numbers):
    """Picture `number` has the level 10 + 5 x its place."""
    action = name.split("_")[1]
    path = folder / action / f"{name}_uncomp"
    path.mkdir(parents=True)
    for place, number in enumerate(numbers):
        picture = np.full((12, 16), 10 + 5 * place, np.uint8)
        imageio.imwrite(path / f"image_{number:04d}.jpg", picture, quality=100)


def opened(folder, split="train", total_length=4, shape=(6, 6, 1)):
    return open_kth(DataConfig("kth", folder), split, shape, total_length)


def places(source):
    """The places of the frames of each window."""
    levels = source.sequences(range(source.size))[..., 2, 2, 0] * 255
    return np.rint((levels - 10) / 5).astype(int).tolist()


@pytest.mark.parametrize(
    ("name", "numbers", "firsts"),
    [
        # Beside each other, counted from the end; of fast actions every three frames.
        ("person01_walking_d1", range(1, 11), [2, 6]),
        ("person16_running_d4", range(1, 11), [0, 3, 6]),
        # Of 100 to 104 and 110 to 115 there is one window each, and the first is looked for at 101.
        ("person02_boxing_d2", [*range(100, 105), *range(110, 116)], [1, 7]),
    ],
)
def test_windows_of_actions_have_no_gap(tmp_path, name, numbers, firsts):
    write_pictures(tmp_path, name, numbers)
    assert places(opened(tmp_path)) == [[*range(first, first + 4)] for first in firsts]


def test_splits_are_by_person(tmp_path):
    for person in (1, 16, 17, 25):
        write_pictures(tmp_path, f"person{person:02d}_handwaving_d1", range(4))
    assert opened(tmp_path).describe()["persons"] == [1, 16]
    for split in ("valid", "test"):
        source = opened(tmp_path, split)
        assert source.describe()["persons"] == [17, 25]
        assert (source.size, source.shape) == (2, (4, 6, 6, 1))


def test_the_videos_as_they_are_downloaded(tmp_path):
    (tmp_path / "running").mkdir()
    path = tmp_path / "running" / "person03_running_d2_uncomp.AVI"
    write_video(path, numbered_frames(10))
    source = opened(tmp_path, shape=(16, 24, 1))
    assert source.size == 3
    # Frame n has red 3 n above and green 90 below, in luminance 0.299 and 0.587 of them.
    above, below = source.sequences([2])[0, :, [0, -1], 0, 0] * 255
    assert above == pytest.approx(0.299 * 3 * np.arange(6, 10), abs=2)
    assert below == pytest.approx(0.587 * 90, abs=2)


@pytest.mark.parametrize("name", ["image-{:03}_64x64.png", "{}.png", "f{}_b2.png"])
def test_pictures_of_other_projects(tmp_path, name):
    folder = tmp_path / "walking" / "person01_walking_d1"
    folder.mkdir(parents=True)
    for n in range(8, 12):
        imageio.imwrite(folder / name.format(n), LEVEL)
    if name == "f{}_b2.png":
        with pytest.raises(MimError, match=r"walking_d1: expected pictures such as"):
            opened(tmp_path)
    else:
        assert opened(tmp_path).size == 1


def test_bad_files_are_refused(tmp_path):
    for folder in (tmp_path / "nothing", tmp_path):
        with pytest.raises(MimError, match=folder.name):
            opened(folder)
    write_pictures(tmp_path, "person01_walking_d1", range(5))
    with pytest.raises(MimError, match="total_length"):
        opened(tmp_path, total_length=9)
    write_pictures(tmp_path / "again", "person01_walking_d1", range(5))
    with pytest.raises(MimError, match="person01_walking_d1"):
        opened(tmp_path)
    (tmp_path / "person01_boxing_d1_uncomp.avi").write_bytes(b"RIFF and nothing else")
    with pytest.raises(MimError, match="person01"):
        opened(tmp_path)


def test_a_take_that_is_there_twice_is_refused(tmp_path):
    write_pictures(tmp_path, "person01_walking_d1", range(1, 11))
    (tmp_path / "person01_walking_d1").mkdir()
    with pytest.raises(MimError, match="Expected it once"):
        opened(tmp_path)
