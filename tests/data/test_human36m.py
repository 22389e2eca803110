import math

import numpy as np
import pytest
from PIL import Image
from skimage.transform import resize

from mim_tf.config import DataConfig
from mim_tf.data.sets.human36m import crop_and_resize, open_human
from mim_tf.errors import MimError


def write(folder, view, frames, first=0, size=(8, 8)):
    """PNGs named as in Human3.6M; of picture k all pixels are first + k."""
    folder.mkdir(parents=True, exist_ok=True)
    for value, frame in enumerate(frames, start=first):
        picture = Image.fromarray(np.full((*size, 3), value, np.uint8))
        # Without loss, whatever the name says.
        picture.save(folder / f"{view}_{frame:06d}.jpg", format="PNG")


def fifths(n, first=1):
    """Numbers of n frames, every fifth of a video."""
    return range(first, first + 5 * n, 5)


def windows(source):
    """Levels of the first pixels of each window."""
    return np.rint(source.sequences(range(source.size))[..., 0, 0, 0] * 255).astype(int).tolist()


def opened(folder, split="train", total_length=2):
    return open_human(DataConfig("human", folder), split, (4, 4, 3), total_length)


def test_no_window_mixes_cameras_or_takes(tmp_path):
    # Pictures 0 to 11, 12 to 23 and 24 to 37.
    write(tmp_path, "S1_Walking_1.54138969", fifths(12))
    write(tmp_path, "S1_Walking_1.55011271", fifths(12), first=12)
    write(tmp_path, "S1_Walking_2.55011271", fifths(14), first=24)
    source = opened(tmp_path)
    assert source.shape == (2, 4, 4, 3)
    # From 10, 11, 22 and 23, the second picture would be of the next camera or take.
    assert windows(source) == [[0, 2], [12, 14], [24, 26], [34, 36]]


@pytest.mark.parametrize("split", ["valid", "test"])
def test_validation_and_test_start_every_fifth_picture(tmp_path, split):
    write(tmp_path, "S9_Walking.54138969", fifths(12))
    write(tmp_path, "S11_Walking.54138969", fifths(12), first=50)
    # By name, S11 comes before S9: pictures 0 to 11 and 12 to 23. 0, 5, then 10 and 11 fail, 12,
    # 17, and after 22 there is no picture left.
    assert windows(opened(tmp_path, split)) == [[50, 52], [55, 57], [0, 2], [5, 7]]


def test_a_gap_costs_the_whole_stride(tmp_path):
    write(tmp_path, "S9_Walking.54138969", fifths(6))
    write(tmp_path, "S9_Walking.54138969", fifths(10, 1001), first=6)
    # 5 is followed by the gap, and passed over with the four after it.
    assert windows(opened(tmp_path, "test")) == [[0, 2], [10, 12]]
    # Between the first picture and the last one all is well again.
    assert windows(opened(tmp_path, "test", 3)) == [[0, 2, 4], [10, 12, 14]]


def test_only_walking_of_the_subjects_of_the_split(tmp_path):
    for first, subject in enumerate(("S1", "S5", "S6", "S7", "S8", "S9", "S11")):
        write(tmp_path, f"{subject}_Walking.54138969", fifths(10), first=10 * first)
        write(tmp_path, f"{subject}_WalkDog.54138969", fifths(10), first=200)
    for name in ("S1_Walking.jpg", "notes.txt", "._S1_Walking.54138969_000001.jpg", "S1_Walking"):
        (tmp_path / name).touch()
    train, test = opened(tmp_path), opened(tmp_path, "test")
    assert windows(train) == [[0, 2], [10, 12], [20, 22], [30, 32], [40, 42]]
    assert windows(test) == [[60, 62], [65, 67], [50, 52], [55, 57]]
    assert (test.describe()["subjects"], test.describe()["pictures"]) == (["S9", "S11"], 20)


def test_subfolders_and_several_folders_are_one_list(tmp_path):
    for first, subject in enumerate(("S1", "S5", "S6")):
        folder = tmp_path / "ab"[first > 1] / subject / "camera"
        write(folder, f"{subject}_Walking.54138969", fifths(10), first=10 * first)
    data = DataConfig("human", [tmp_path / "a", tmp_path / "b"])
    source = open_human(data, "train", (4, 4, 3), 2)
    assert windows(source) == [[0, 2], [10, 12], [20, 22]]
    assert source.describe()["subjects"] == ["S1", "S5", "S6"]


def picture(height, width):
    row, column = np.mgrid[:height, :width]
    channels = [37 * row + 91 * column, 13 * row * column + 5, 7 * row * row + 3 * column * column]
    return (np.stack(channels, axis=-1) % 256).astype(np.uint8)


# What cv2.resize of OpenCV 5.0.0 makes of the central halves.
SHRUNK = [  # rows 4 to 11, columns 6 to 17 of picture(16, 24)
    [[97, 170, 57], [213, 103, 157], [201, 109, 71], [164, 153, 232], [126, 48, 130]],
    [[119, 146, 147], [82, 111, 132], [108, 166, 89], [147, 208, 92], [148, 148, 131]],
    [[188, 122, 92], [155, 120, 162], [143, 95, 98], [105, 71, 46], [67, 98, 135]],
]
SHRUNK_UNEVEN = [  # rows 2 to 6, columns 1 to 4 of picture(10, 7)
    [[165, 47, 59], [73, 94, 74], [194, 142, 99]],
    [[44, 84, 188], [166, 176, 150], [74, 53, 175]],
]


@pytest.mark.parametrize(("size", "expected"), [((16, 24), SHRUNK), ((10, 7), SHRUNK_UNEVEN)])
def test_central_half_is_resized_as_opencv_does(size, expected):
    expected = np.array(expected, np.uint8)
    got = crop_and_resize("a.jpg", picture(*size), *expected.shape[:2])
    assert got.dtype == np.uint8
    assert np.abs(got.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("side", [2, 4, 9, 30, 60])
def test_central_half_is_resized_as_scikit_image_does(side):
    image = picture(side, 40)
    half = image[side // 4 : side - math.ceil(side / 4), 10:30]
    levels = resize(half, (12, 7), order=1, mode="edge", anti_aliasing=False, preserve_range=True)
    # Nothing but rounding is left.
    assert np.abs(crop_and_resize("a.jpg", image, 12, 7) - levels).max() < 0.501


def test_bad_files_are_refused(tmp_path):
    for folder in (tmp_path / "missing", tmp_path):
        with pytest.raises(MimError, match=folder.name):
            opened(folder)
    write(tmp_path, "S1_WalkDog.54138969", fifths(2))
    write(tmp_path, "S9_Walking.54138969", fifths(3))
    with pytest.raises(MimError, match="S1 WalkDog, S9 Walking"):
        opened(tmp_path)
    with pytest.raises(MimError, match="--total_length"):
        opened(tmp_path, "test")
    for name, size in (("a", (1, 8)), ("b", (8, 1))):
        write(tmp_path / name, "S1_Walking.54138969", fifths(4), size=size)
        with pytest.raises(MimError, match=r"S1_Walking\.54138969_000001\.jpg"):
            opened(tmp_path / name).sequences([0])
    with pytest.raises(MimError, match=r"b/S1_Walking\.54138969_000001\.jpg.*/a/"):
        opened(tmp_path)  # Each picture is there twice.


def test_cameras_of_one_walk_are_one_group(tmp_path):
    for place, view in enumerate(("S9_Walking.1", "S9_Walking.2", "S9_Walking_1.1")):
        write(tmp_path, view, fifths(12), first=12 * place)
    source = opened(tmp_path, "test")
    assert source.groups(range(source.size)).tolist() == [0] * 4 + [1] * (source.size - 4)
