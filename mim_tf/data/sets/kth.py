"""KTH: six human actions (Schuldt et al., 2004)."""

import dataclasses
import os
import re
from pathlib import Path

import numpy as np
from absl import logging

from mim_tf.data.files.images import FrameFormat, list_images, read_image
from mim_tf.data.files.videos import Pictures, Video
from mim_tf.data.windows import WindowSource
from mim_tf.errors import MimError
from mim_tf.storage.paths import walk

TRAIN_PERSONS, TEST_PERSONS = range(1, 17), range(17, 26)
FRAME_SHAPE = (128, 128, 1)  # as published for video prediction
FAST_ACTIONS = ("jogging", "running")
FAST_STEP = 3
"""Frames from one window to the next where persons soon leave the picture."""

_NAME = re.compile(
    r"person(?P<person>\d\d)_(?P<action>boxing|handclapping|handwaving|jogging|running|walking)"
    r"_d(?P<setting>\d)(_uncomp)?(\.avi)?"
)
_FRAME = re.compile(r"image_(\d+)\.\w+")


@dataclasses.dataclass(frozen=True)
class _Take:
    path: Path
    person: int
    action: str


def open_kth(
    paths: list[Path], split: str, frame_shape: tuple[int, int, int], total_length: int
) -> WindowSource:
    """Windows of a split ("train", "valid" or "test"), none across two recordings.

    Persons 1 to 16 are for training, 17 to 25 for validation and test alike. Windows are taken
    from the end of a recording backwards, one beside the other; of jogging and running one every
    three frames. Frames are resized and decoded when first asked for, then kept as uint8.

    Source of the windows: the readers of PredRNN and later networks.

    Args:
        paths: folders that hold the recordings, themselves or in subfolders: the videos
            `personNN_<action>_dK_uncomp.avi`, or folders of that name with `image_####.jpg`, whose
            numbers may have gaps.
        split: "train", "valid" or "test".
        frame_shape: (H, W, C) of the frames, grey where C is 1.
        total_length: frames of a window.

    Raises:
        MimError: if a folder or the recordings of the split are missing, a recording cannot be
            read, or there is no window.
    """
    persons = TRAIN_PERSONS if split == "train" else TEST_PERSONS
    takes = [take for take in find_takes(paths) if take.person in persons]
    if not takes:
        raise MimError(
            f"{', '.join(map(str, paths))}: expected recordings of persons {persons[0]} to "
            f"{persons[-1]} for {split}, such as person{persons[0]:02d}_walking_d1_uncomp.avi, "
            "found none. Give the folder that holds the six actions."
        )
    absent = sorted(set(persons) - {take.person for take in takes})
    if absent:
        logging.warning("KTH: there is no recording of persons %s.", ", ".join(map(str, absent)))
    form = FrameFormat(frame_shape, resize=True)
    recordings, starts = [], []
    for number, take in enumerate(takes):
        recording, numbers = _open(take, form)
        step = FAST_STEP if take.action in FAST_ACTIONS else total_length
        starts += [(number, start) for start in window_starts(numbers, total_length, step)]
        recordings.append(recording)
    return WindowSource(
        recordings,
        frame_shape,
        total_length,
        starts=starts,
        description={
            "source": "KTH",
            "paths": [str(path) for path in paths],
            "persons": sorted({take.person for take in takes}),
            "actions": sorted({take.action for take in takes}),
        },
    )


def window_starts(numbers: np.ndarray, total_length: int, step: int) -> list[int]:
    """Positions at which a window starts, in order.

    Args:
        numbers: of the frames, increasing; those of a window are consecutive.
        total_length: frames of a window.
        step: frames from one window to the next, counted from the end.
    """
    starts = []
    start = len(numbers) - total_length
    while start >= 0:
        if numbers[start + total_length - 1] - numbers[start] == total_length - 1:
            starts.append(start)
            start -= step
        else:
            start -= 1
    return starts[::-1]


def find_takes(paths: list[Path]) -> list[_Take]:
    """The recordings in folders and their subfolders, sorted by name.

    Raises:
        MimError: a folder is not there, or a recording is there twice.
    """
    found: dict[str, _Take] = {}
    for root in paths:
        for folder, files in walk(root, "a folder with the actions of KTH"):
            videos = (folder / name for name in files if name.lower().endswith(".avi"))
            for path in (folder, *videos):
                match = _NAME.fullmatch(path.name)
                if not match:
                    continue
                key = path.name.removesuffix(".avi")
                if key in found:
                    raise MimError(
                        f"{path}: expected each recording once, found it as {found[key].path} "
                        "too. Keep the videos or their pictures, in one folder."
                    )
                found[key] = _Take(path, int(match["person"]), match["action"])
    return [found[key] for key in sorted(found)]


def _open(take, form):
    """The recording and the numbers of its frames."""
    if not os.path.isdir(take.path):
        video = Video(take.path, form)
        return video, np.arange(video.length)
    numbered = {}
    for path in list_images(take.path):
        match = _FRAME.fullmatch(path.name)
        if match:
            numbered[int(match[1])] = path
    numbers = sorted(numbered)
    pictures = [numbered[number] for number in numbers]
    recording = Pictures(take.path, pictures, lambda path: form.convert(path, read_image(path)))
    return recording, np.array(numbers)
