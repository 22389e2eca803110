"""Human3.6M, scenario Walking, with the windows of the 2019 code.

Subjects S1, S5, S6, S7 and S8 are for training, S9 and S11 for validation and test alike. The
stored pictures are every fifth frame of the videos; windows take every second picture. Frames are
the central half of each side of a picture.
"""

import math
import re
from pathlib import Path

import numpy as np
from absl import logging

from mim_tf.config import DataConfig
from mim_tf.data.files.images import eight_bits, read_image, to_channels
from mim_tf.data.files.recordings import Pictures, find_named
from mim_tf.data.source import WindowSource
from mim_tf.data.split import needed_paths
from mim_tf.errors import MimError

SCENARIO = "Walking"
TRAIN_SUBJECTS = ("S1", "S5", "S6", "S7", "S8")
TEST_SUBJECTS = ("S9", "S11")
FRAME_STEP, INTERVAL = 5, 2
"""Frames from a stored picture to the next, and pictures from a frame of a window to the next."""
TRAIN_STRIDE, TEST_STRIDE = 10, 5
"""Pictures from one possible start of a window to the next."""
# Such as S1_Walking_1.54138969_000471.jpg; the number of the take may be missing.
NAME = re.compile(
    r"(?P<key>(?P<take>(?P<subject>S\d+)_(?P<scenario>[A-Za-z]+)(_\w+)?)"
    r"\.(?P<camera>\d+)_(?P<frame>\d+)\.(jpg|jpeg|png))"
)


def open_human(data: DataConfig, split: str, frame_shape, total_length: int) -> WindowSource:
    """Open windows of a split ("train", "valid" or "test"), RGB, resized to `frame_shape`.

    The pictures are in folders or their subfolders. Frames of a window are 10 frames of the video
    apart. Source: 2019 code, its reader of Human3.6M.
    """
    paths, _ = needed_paths(data, split)
    is_train = split == "train"
    subjects = TRAIN_SUBJECTS if is_train else TEST_SUBJECTS
    pictures = _find_pictures(paths, subjects)
    starts = window_starts(pictures, total_length, TRAIN_STRIDE if is_train else TEST_STRIDE)
    if not starts:
        raise MimError(
            f"{_listed(paths)}: Expected {total_length} pictures of one camera and take, "
            f"{FRAME_STEP * INTERVAL} frames of the video apart, got none among {len(pictures)}. "
            "Lower --total_length, or get all with data/human36m.sh."
        )
    found = sorted({name["subject"] for _, name in pictures}, key=subjects.index)
    if len(found) < len(subjects):
        absent = ", ".join(set(subjects) - set(found))
        logging.warning("Human3.6M: there is no picture of %s in the given folders.", absent)
    recording = Pictures(
        f"{SCENARIO} of {', '.join(found)}",
        [path for path, _ in pictures],
        lambda path: crop_and_resize(path, read_image(path), *frame_shape[:2]),
    )
    # Four cameras film a walk at once.
    walks = np.unique([name["take"] for _, name in pictures], return_inverse=True)[1]
    return WindowSource(
        [recording],
        (*frame_shape[:2], 3),
        total_length,
        interval=INTERVAL,
        starts=[(0, start) for start in starts],
        groups=walks[starts],
        description={
            "source": "Human3.6M",
            "paths": [str(path) for path in paths],
            "subjects": found,
            "pictures": len(pictures),
        },
    )


def window_starts(
    pictures: list[tuple[Path, re.Match[str]]], total_length: int, stride: int
) -> list[int]:
    """Return the positions in `pictures`, sorted by file name, at which a window starts.

    The first and the last picture of a window are from one take and camera, and as many frames of
    the video apart as in a window without a gap. Source: 2019 code.
    """
    span = INTERVAL * (total_length - 1)
    starts = []
    start = 0
    while start + INTERVAL * total_length - 1 < len(pictures):
        (_, first), (_, last) = pictures[start], pictures[start + span]
        if first.group("take", "camera") != last.group("take", "camera"):
            start += 1  # The next view begins at one of the next pictures.
            continue
        if int(last["frame"]) - int(first["frame"]) == FRAME_STEP * span:
            starts.append(start)
        start += stride
    return starts


def crop_and_resize(path: str | Path, image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return the central half of each side of a picture as uint8 `[height, width, 3]`.

    Bilinear between the four nearest pixels, without antialiasing: within one level of OpenCV's
    resize, which the 2019 code called.
    """
    rows, columns = image.shape[:2]
    if min(rows, columns) < 2:
        raise MimError(
            f"{path}: Expected at least 2 x 2 pixels, got {rows} x {columns}. Download it again."
        )
    crop = to_channels(eight_bits(image[_central_half(rows), _central_half(columns)]), 3)
    if crop.shape[:2] == (height, width):
        return crop
    levels = _interpolated(_interpolated(crop, height, axis=0), width, axis=1)
    # OpenCV rounds halves up.
    return np.floor(levels + 0.5).astype(np.uint8)


def _interpolated(image, size, axis):
    """Return `image` with `size` pixels along `axis`, as float32."""
    # Not resize of scikit-image, which takes five times as long, as much as reading the picture.
    old = image.shape[axis]
    position = np.clip((np.arange(size) + 0.5) * old / size - 0.5, 0, old - 1)
    first = np.minimum(position.astype(int), old - 2)
    weight = np.expand_dims(np.float32(position - first), (2, 1 - axis))
    return image.take(first, axis) * (1 - weight) + image.take(first + 1, axis) * weight


def _central_half(side):
    # If a quarter is not a whole number, more is cut off at the end than at the start.
    return slice(side // 4, side - math.ceil(side / 4))


def _find_pictures(paths, subjects):
    """Return the pictures of `subjects`, sorted by file name."""
    found = find_named(paths, NAME, "a folder with pictures of Human3.6M")
    wanted = {(subject, SCENARIO) for subject in subjects}
    pictures = [each for each in found if each[1].group("subject", "scenario") in wanted]
    if not pictures:
        other = sorted({" ".join(name.group("subject", "scenario")) for _, name in found})
        raise MimError(
            f"{_listed(paths)}: Expected pictures of {_listed(subjects)} such as {subjects[0]}_"
            f"{SCENARIO}_1.54138969_000471.jpg, got {_listed(other) or 'none'}. Get them with "
            "data/human36m.sh."
        )
    return pictures


def _listed(words):
    return ", ".join(map(str, words))
