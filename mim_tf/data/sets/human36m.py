"""Human3.6M, scenario Walking, with the windows of the 2019 code."""

import dataclasses
import math
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from absl import logging

from mim_tf.data.files.images import eight_bits, read_image, to_channels
from mim_tf.data.files.videos import Pictures
from mim_tf.data.windows import WindowSource
from mim_tf.errors import MimError
from mim_tf.storage.paths import walk

SCENARIO = "Walking"
TRAIN_SUBJECTS = ("S1", "S5", "S6", "S7", "S8")
TEST_SUBJECTS = ("S9", "S11")
# The stored pictures are every fifth frame of the videos, by their numbers; every second is used.
FRAME_STEP = 5
INTERVAL = 2
FRAME_SHAPE = (128, 128, 3)  # as published
_FOLDER = "a folder with pictures of Human3.6M, as data/human36m.sh makes it"
# Pictures from one place where a window may start to the next.
TRAIN_STRIDE = 10
TEST_STRIDE = 5
# Such as S1_Walking_1.54138969_000471.jpg; the number of the take may be missing.
_NAME = re.compile(
    r"(?P<take>(?P<subject>S\d+)_(?P<scenario>[A-Za-z]+)(_\w+)?)"
    r"\.(?P<camera>\d+)_(?P<frame>\d+)\.(jpg|jpeg|png)"
)


@dataclasses.dataclass(frozen=True)
class _Picture:
    path: Path
    subject: str
    view: tuple[str, str]  # take (with subject and scenario) and camera
    frame: int


def open_human36m(
    paths: list[Path], split: str, total_length: int, height: int, width: int
) -> WindowSource:
    """Windows of a split ("train", "valid" or "test") of Human3.6M, RGB.

    Subjects S1, S5, S6, S7 and S8 are for training, S9 and S11 for validation and test alike. The
    central half of each side is resized to `height` x `width`. Pictures are decoded when first
    asked for, then kept as uint8.

    Args:
        paths: folders that hold the pictures, themselves or in subfolders.
        split: "train", "valid" or "test".
        total_length: frames of a window, each 10 frames of the video after the one before.
        height: of a frame, in pixels.
        width: of a frame, in pixels.

    Raises `MimError` if a folder or the pictures of the split are missing, pictures are there
    twice, or there is no window; when read, for pictures that cannot be decoded.

    Source: 2019 code, its reader of Human3.6M.
    """
    subjects, stride = (
        (TRAIN_SUBJECTS, TRAIN_STRIDE) if split == "train" else (TEST_SUBJECTS, TEST_STRIDE)
    )
    pictures = _find_pictures(paths, subjects)
    starts = window_starts(pictures, total_length, stride)
    if not starts:
        raise MimError(
            f"{_listed(paths)}: expected {total_length} pictures of one camera and take, "
            f"{FRAME_STEP * INTERVAL} frames of the video apart, found none among the "
            f"{len(pictures)} pictures of {SCENARIO}. Lower total_length, or get all pictures "
            "with data/human36m.sh."
        )
    found = _found_subjects(pictures, subjects)
    recording = Pictures(
        f"{SCENARIO} of {', '.join(found)}",
        [picture.path for picture in pictures],
        lambda path: crop_and_resize(path, read_image(path), height, width),
    )
    return WindowSource(
        [recording],
        (height, width, 3),
        total_length,
        interval=INTERVAL,
        starts=[(0, start) for start in starts],
        description={
            "source": "Human3.6M",
            "paths": [str(path) for path in paths],
            "subjects": found,
            "pictures": len(pictures),
        },
    )


def has_pictures(folder: Path) -> bool:
    """Whether a folder or its subfolders hold a picture with a name of Human3.6M."""
    return any(_NAME.fullmatch(file.name) for file in _walk([folder]))


def window_starts(pictures: list[_Picture], total_length: int, stride: int) -> list[int]:
    """Positions in `pictures`, sorted by file name, at which a window starts.

    The first and the last picture of a window are from one take and camera, and as many frames of
    the video apart as in a window without a gap. The next place to look at is `stride` pictures
    further, or the next picture if take or camera differ.

    Source: 2019 code.
    """
    span = INTERVAL * (total_length - 1)
    starts = []
    start = 0
    while start + INTERVAL * total_length - 1 < len(pictures):
        first, last = pictures[start], pictures[start + span]
        if first.view != last.view:
            start += 1
            continue
        if last.frame - first.frame == FRAME_STEP * span:
            starts.append(start)
        start += stride
    return starts


def crop_and_resize(path: Path, image: np.ndarray, height: int, width: int) -> np.ndarray:
    """The central half of each side of a picture as uint8 `[height, width, 3]`.

    Bilinear between the four nearest pixels, without antialiasing: within one level of OpenCV's
    resize, which the 2019 code called.

    Args:
        path: for messages.
        image: uint8 or uint16 `[H, W, 1]` or `[H, W, 3]`.
        height: in pixels.
        width: in pixels.

    Raises `MimError` for pictures of less than 2 x 2 pixels.
    """
    rows, columns = image.shape[:2]
    if min(rows, columns) < 2:
        raise MimError(
            f"{path}: expected a picture of at least 2 x 2 pixels, to take the central half of it, "
            f"received {rows} x {columns}. Download it again."
        )
    crop = to_channels(eight_bits(image[_central_half(rows), _central_half(columns)]), 3)
    if crop.shape[:2] == (height, width):
        return crop
    levels = _interpolated(_interpolated(crop, height, axis=0), width, axis=1)
    # OpenCV rounds halves up.
    return np.floor(levels + 0.5).astype(np.uint8)


def _interpolated(image, size, axis):
    """`image` with `size` pixels along `axis`, each between the two next to it, as float32."""
    # Not resize of scikit-image, which takes five times as long, as much as reading the picture.
    old = image.shape[axis]
    position = np.clip((np.arange(size) + 0.5) * old / size - 0.5, 0, old - 1)
    first = np.minimum(position.astype(int), old - 2)
    weight = np.expand_dims(np.float32(position - first), (2, 1 - axis))
    return image.take(first, axis) * (1 - weight) + image.take(first + 1, axis) * weight


def _central_half(side):
    # Where a quarter is no whole number, more is cut off at the end than at the start.
    return slice(side // 4, side - math.ceil(side / 4))


def _find_pictures(paths, subjects):
    """The pictures of `subjects`, sorted by file name."""
    found, other = {}, set()
    for path in _walk(paths):
        name = path.name
        match = _NAME.fullmatch(name)
        if not match:
            continue
        subject, scenario = match["subject"], match["scenario"]
        if scenario != SCENARIO or subject not in subjects:
            other.add(f"{subject} {scenario}")
            continue
        if name in found:
            raise MimError(
                f"{path}: expected each picture once, found it as {found[name].path} too. Give "
                "only one of the folders, or move one copy away."
            )
        view = match["take"], match["camera"]
        found[name] = _Picture(path, subject, view, int(match["frame"]))
    if not found:
        raise MimError(
            f"{_listed(paths)}: expected pictures such as {subjects[0]}_{SCENARIO}_1.54138969_"
            f"000471.jpg of {', '.join(subjects)}, found "
            f"{'only ' + ', '.join(sorted(other)) if other else 'none of Human3.6M'}. Get them "
            "with data/human36m.sh."
        )
    return [found[name] for name in sorted(found)]


def _walk(paths: list[Path]) -> Iterator[Path]:
    """All files in the folders `paths` and in their subfolders."""
    for path in paths:
        for folder, names in walk(path, _FOLDER):
            yield from (folder / name for name in names)


def _found_subjects(pictures, subjects):
    found = {picture.subject for picture in pictures}
    for subject in subjects:
        if subject not in found:
            logging.warning("Human3.6M: there is no picture of %s in the given folders.", subject)
    return [subject for subject in subjects if subject in found]


def _listed(paths):
    return ", ".join(str(path) for path in paths)
