"""KTH: six human actions (Schuldt et al., 2004), with the windows of PredRNN and later networks.

Persons 1 to 16 are for training, 17 to 25 for validation and test alike. Windows are taken from the
end of a recording backwards, one beside the other; of jogging and running one starts every three
frames.
"""

import os
import re

import numpy as np
from absl import logging

from mim_tf.config import DataConfig
from mim_tf.data.files.images import FrameFormat, list_images, read_image
from mim_tf.data.files.recordings import Pictures, find_named
from mim_tf.data.files.videos import open_video
from mim_tf.data.source import Recording, WindowSource
from mim_tf.data.split import needed_paths
from mim_tf.errors import MimError

TRAIN_PERSONS, TEST_PERSONS = range(1, 17), range(17, 26)
FAST_ACTIONS = ("jogging", "running")
FAST_STEP = 3
"""Frames from one window to the next of actions in which persons soon leave the picture."""

NAME = re.compile(
    r"(?P<key>person(?P<person>\d\d)_"
    r"(?P<action>boxing|handclapping|handwaving|jogging|running|walking)"
    r"_d\d)(_uncomp)?(?i:\.(avi|mp4))?"
)
_FRAME = re.compile(r"\D*(\d+)(_\d+x\d+)?\.\w+")
"""Such as image_0001.jpg, and image-001_64x64.png of other projects."""


def open_kth(data: DataConfig, split: str, frame_shape, total_length: int) -> WindowSource:
    """Open windows of a split ("train", "valid" or "test"), resized to `frame_shape`.

    The recordings, in folders or their subfolders, are the videos
    `personNN_<action>_dK_uncomp.avi`, or folders of that name with `image_####.jpg`, whose numbers
    may have gaps.
    """
    paths, _ = needed_paths(data, split)
    persons = TRAIN_PERSONS if split == "train" else TEST_PERSONS
    every = find_named(paths, NAME, "a folder with the actions of KTH")
    takes = [(path, name) for path, name in every if int(name["person"]) in persons]
    if not takes:
        raise MimError(
            f"{', '.join(map(str, paths))}: Expected recordings such as "
            f"person{persons[0]:02d}_walking_d1_uncomp.avi for {split}, got none."
        )
    found = {int(name["person"]) for _, name in takes}
    if len(found) < len(persons):
        logging.warning("KTH: no recording of persons %s.", sorted(set(persons) - found))
    form = FrameFormat(frame_shape, resize=True)
    recordings, starts = [], []
    for number, (path, name) in enumerate(takes):
        recording, numbers = _open(path, form)
        step = FAST_STEP if name["action"] in FAST_ACTIONS else total_length
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
            "persons": sorted(found),
            "actions": sorted({name["action"] for _, name in takes}),
        },
    )


def window_starts(numbers: np.ndarray, total_length: int, step: int) -> list[int]:
    """Return the positions at which windows of consecutive frame `numbers` start, in order.

    Windows are searched from the end backwards, each `step` frames before the last one found.
    """
    starts = []
    start = len(numbers) - total_length
    while start >= 0:
        if numbers[start + total_length - 1] - numbers[start] == total_length - 1:
            starts.append(start)
            start -= step
        else:  # There is a gap: try the window that ends one frame earlier.
            start -= 1
    return starts[::-1]


def _open(path, form) -> tuple[Recording, np.ndarray]:
    """Return the recording and the numbers of its frames."""
    if not os.path.isdir(path):
        video = open_video(path, form)
        return video, np.arange(video.length)
    named = [(_FRAME.fullmatch(picture.name), picture) for picture in list_images(path)]
    numbered = sorted({int(match[1]): picture for match, picture in named if match}.items())
    if not numbered:
        raise MimError(f"{path}: expected pictures such as image_0001.jpg, got none. Rename them.")
    pictures = [picture for _, picture in numbered]
    recording = Pictures(path, pictures, lambda each: form.convert(each, read_image(each)))
    return recording, np.array([number for number, _ in numbered])
