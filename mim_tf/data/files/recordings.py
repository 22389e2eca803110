"""Recordings of any kind: videos, folders of images, and the videos of an array.

`list_recordings` and `array_recordings` find them; `open_recordings` opens them as windows of
frames of one shape.
"""

import collections
import os
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from mim_tf.config import DataConfig
from mim_tf.data.files.arrays import check_array, check_interval, open_array, take, to_float32
from mim_tf.data.files.images import (
    FrameFormat,
    image_header,
    list_images,
    natural_order,
    read_image,
    resize_image,
)
from mim_tf.data.files.npz_member import main_key, member_shape, open_frames
from mim_tf.data.files.videos import VIDEO_SUFFIXES, Pictures, Video, video_size
from mim_tf.data.source import Indices
from mim_tf.data.windows import Recording, WindowSource, starts_within
from mim_tf.errors import MimError
from mim_tf.storage.paths import list_folder, walk


class ArrayVideo(Recording):
    """One video `[T, h, w, C]` of an array, uint8 or float, resized to `size` when it is read."""

    def __init__(self, name: str, frames: np.ndarray, size: tuple[int, int] | None = None):
        self.name = name
        self.length, *shape = frames.shape
        self.frame_shape = tuple(shape)
        self._frames = frames
        self._size = size

    def converted(self, form: FrameFormat) -> "ArrayVideo":
        """Return the same video with frames of `form`; raise `MimError` if they do not fit."""
        form.check_size(self.name, self.frame_shape[:2])
        form.check_channels(self.name, self.frame_shape[-1:])
        if self._frames.dtype != np.uint8 and not form.any_range:
            check_interval(self._frames, self.name, ("frame",))
        return ArrayVideo(self.name, self._frames, form.frame_shape[:2])

    def read(self, positions: Indices) -> np.ndarray:
        frames = to_float32(take(self._frames, positions))
        if self._size is None:
            return frames
        return np.stack([resize_image(frame, *self._size) for frame in frames])


def array_recordings(path: str | Path, check: bool = True) -> list[ArrayVideo]:
    """Return the videos of a `.npy` or `.npz` file; the name of the first is "path[0]".

    The array is `[N, T, H, W]` or `[N, T, H, W, C]`, uint8 or float; its values are checked when a
    video is opened. In a `.npz` file with several arrays its name is `frames` or `data`. `check` is
    as for `read_member`.
    """
    path = Path(path)
    array = open_frames(path, check)
    check_array(array, path, {4: "[N, T, H, W]", 5: "[N, T, H, W, C]"})
    if array.ndim == 4:
        array = array[..., None]
    return [ArrayVideo(f"{path}[{n}]", frames) for n, frames in enumerate(array)]


def array_frame_shape(path: str | Path) -> tuple[int, int, int]:
    """Return (H, W, C) of the frames of such a file, from its header."""
    is_npz = Path(path).suffix == ".npz"
    shape = member_shape(path, main_key(path)) if is_npz else open_array(path).shape
    if len(shape) not in (4, 5):
        array_recordings(path)  # raises the error
    return (*shape[2:], 1)[:3]


def list_recordings(folder: str | Path) -> list[Path]:
    """Return the recordings in `folder`, in natural order, without opening them.

    They are its video files and its subfolders with at least two images. If there are none, a
    video file, or a folder with at least two images, is a recording itself.
    """
    folder = Path(folder)
    inside, itself = find_recordings(folder, VIDEO_SUFFIXES, 2)
    if not inside and not itself:
        found = "none of them" if os.path.isdir(folder) else "no such folder"
        raise MimError(
            f"{folder}: Expected a folder with videos ({', '.join(VIDEO_SUFFIXES)}) or with "
            f"subfolders of at least two images each, got {found}. Check the path."
        )
    return inside or [folder]


def find_recordings(
    path: Path, suffixes: Iterable[str], fewest_images: int
) -> tuple[list[Path], bool]:
    """Return the recordings directly in `path`, in natural order, and whether it is one itself.

    A recording is a file with one of `suffixes`, or a folder with `fewest_images` images or more.
    Hidden files are left out.
    """

    def is_recording(path):
        if path.name.startswith("."):
            return False
        if os.path.isdir(path):
            return len(list_images(path)) >= fewest_images
        return path.suffix.lower() in suffixes

    own = Path(os.path.realpath(path))
    children = list_folder(path) if os.path.isdir(path) else []
    # Leave out links to the folder itself or to a folder above it.
    children = [each for each in children if not own.is_relative_to(os.path.realpath(each))]
    return sorted(filter(is_recording, children), key=natural_order), is_recording(path)


def find_named(paths: list[Path], name: re.Pattern, kind: str) -> list[tuple[Path, re.Match[str]]]:
    """Find what has a `name` in folders and their subfolders, sorted by the group "key" of names.

    Raises `MimError` if two have the same key; `kind` is for messages about the folders.
    """
    found: dict[str, tuple[Path, re.Match[str]]] = {}
    for root in paths:
        for folder, files in walk(root, kind):
            for path in (folder, *(folder / file for file in files)):
                match = name.fullmatch(path.name)
                if match and match["key"] in found:
                    raise MimError(
                        f"{path}: Expected each recording or picture once, got it as "
                        f"{found[match['key']][0]} too. Leave out one of them."
                    )
                if match:
                    found[match["key"]] = path, match
    return [found[key] for key in sorted(found)]


def open_recordings(
    recordings: list[Path | ArrayVideo],
    frame_shape: tuple[int, int, int],
    total_length: int | None,
    data: DataConfig,
    part: tuple[float, float] = (0.0, 1.0),
    any_range: bool = False,
) -> WindowSource:
    """Open windows of the recordings of `list_recordings` or `array_recordings`.

    Pictures become luminance if C is 1 and RGB if it is 3; levels of 16 bits are scaled to 8.
    Without `total_length` a window is as long as the first recording. `part` is the start and end
    of the part to take of each recording, as shares of its length. With `any_range` floats of
    arrays may be outside [0, 1], or NaN.
    """
    opened = convert_recordings(recordings, frame_shape, data.resize, any_range)
    length = total_length or opened[0].length
    stride, interval = data.window_stride, data.frame_interval
    is_whole = part == (0.0, 1.0)
    return WindowSource(
        opened,
        frame_shape,
        length,
        stride,
        interval,
        None if is_whole else starts_within(opened, part, length, stride, interval),
        description={
            "source": "recordings",
            "window_stride": stride,
            "frame_interval": interval,
            "resize": data.resize,
            **({} if is_whole else {"part_of_each_recording": list(part)}),
        },
    )


def convert_recordings(
    recordings: list[Path | ArrayVideo],
    frame_shape: tuple[int, int, int],
    resize: bool,
    any_range: bool = False,
) -> list[ArrayVideo | Pictures | Video]:
    """Open `recordings` so that their frames have `frame_shape`; see `FrameFormat`."""
    form = FrameFormat(frame_shape, resize, any_range)
    return [_open_recording(recording, form) for recording in recordings]


def native_shape(recording: Path) -> tuple[int, ...]:
    """Return (H, W, C) of the frames of a video or folder of images; a video has 3 channels."""
    if os.path.isdir(recording):
        return read_image(_pictures(recording)[0]).shape
    return (*video_size(recording), 3)


def frame_sizes(recordings: list[Path]) -> collections.Counter:
    """Count the files of each (height, width), from their headers."""
    return collections.Counter(
        image_header(file)[:2] if os.path.isdir(recording) else video_size(file)
        for recording in recordings
        for file in (list_images(recording) if os.path.isdir(recording) else [recording])
    )


def _open_recording(recording, form):
    if isinstance(recording, ArrayVideo):
        return recording.converted(form)
    form.check_channels(recording, (1, 3))
    if not os.path.isdir(recording):
        return Video(recording, form)
    paths = _pictures(recording)
    # Checking one size finds most mistakes early; the other pictures are checked when decoded.
    form.check_size(recording, image_header(paths[0])[:2])
    return Pictures(recording, paths, lambda path: form.convert(path, read_image(path)))


def _pictures(folder):
    return sorted(list_images(folder), key=natural_order)
