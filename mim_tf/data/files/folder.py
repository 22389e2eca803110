"""Folders of videos, or of folders of images, one for each recording."""

import collections
import os
from collections.abc import Iterable
from pathlib import Path

from mim_tf.config import DataConfig
from mim_tf.data.files.array_videos import ArrayVideo
from mim_tf.data.files.frame_cache import Pictures
from mim_tf.data.files.frame_format import FrameFormat
from mim_tf.data.files.images import image_header, list_images, natural_order, read_image
from mim_tf.data.files.videos import VIDEO_SUFFIXES, Video, video_size
from mim_tf.data.windows import WindowSource
from mim_tf.errors import MimError
from mim_tf.given_path import list_folder


def list_recordings(folder: str | Path) -> list[Path]:
    """The recordings in `folder`, in natural order; none is opened.

    They are its video files and its subfolders with at least two images. If there are none, a
    video file, or a folder with at least two images, is a recording itself.

    Raises `MimError` if there is no recording.
    """
    folder = Path(folder)
    inside, itself = find_recordings(folder, VIDEO_SUFFIXES, 2)
    if not inside and not itself:
        found = "none of them" if os.path.isdir(folder) else "no such folder"
        raise MimError(
            f"{folder}: expected a folder with videos ({', '.join(VIDEO_SUFFIXES)}) or with a "
            f"subfolder of at least two images for each recording, found {found}. Check the path."
        )
    return inside or [folder]


def find_recordings(
    path: Path, suffixes: Iterable[str], fewest_images: int
) -> tuple[list[Path], bool]:
    """The recordings directly in `path`, in natural order, and whether `path` is one itself.

    Hidden files are left out. Raises `MimError` if a folder cannot be listed.

    Args:
        path: of a file or folder.
        suffixes: of files that are a recording.
        fewest_images: images that make a folder a recording.
    """

    def is_recording(path):
        if path.name.startswith("."):
            return False
        if os.path.isdir(path):
            return len(list_images(path)) >= fewest_images
        return path.suffix.lower() in suffixes

    own = Path(os.path.realpath(path))
    children = list_folder(path) if os.path.isdir(path) else []
    # A link to the folder itself, or to one above it, holds nothing else.
    children = [each for each in children if not own.is_relative_to(os.path.realpath(each))]
    return sorted(filter(is_recording, children), key=natural_order), is_recording(path)


def open_recordings(
    recordings: list[Path | ArrayVideo],
    frame_shape: tuple[int, int, int],
    total_length: int | None,
    data: DataConfig,
) -> WindowSource:
    """Windows of videos, folders of images and arrays, none reaching from one into another.

    Pictures become luminance where C is 1, RGB where it is 3, levels of 16 bits are scaled to 8;
    they are decoded when first asked for, then kept as uint8. Arrays stay in their file.

    Args:
        recordings: paths as from `list_recordings`, or `ArrayVideo`s.
        frame_shape: (H, W, C).
        total_length: frames of a window; None: of the first recording.
        data: stride and interval of windows, and whether frames of another height or width are
            resized, with antialiasing.

    Raises `MimError` for a recording that cannot be opened, for frames of another shape and if
    there is no window.
    """
    any_range = set(data.scale_kinds) != {"unit"}
    opened = convert_recordings(recordings, frame_shape, data.resize, any_range)
    return WindowSource(
        opened,
        frame_shape,
        total_length or opened[0].length,
        data.window_stride,
        data.frame_interval,
        description={
            "source": "recordings",
            "window_stride": data.window_stride,
            "frame_interval": data.frame_interval,
            "resize": data.resize,
        },
    )


def convert_recordings(
    recordings: list[Path | ArrayVideo],
    frame_shape: tuple[int, int, int],
    resize: bool,
    any_range: bool = False,
) -> list[ArrayVideo | Pictures | Video]:
    """Opens `recordings` so that their frames have `frame_shape`; as for `open_recordings`.

    With `any_range`, floats of arrays need not be in [0, 1], and may be NaN.
    """
    form = FrameFormat(tuple(frame_shape), resize, any_range)
    return [_open_recording(recording, form) for recording in recordings]


def native_shape(recording: Path) -> tuple[int, int, int]:
    """(H, W, C) of the frames of a video or folder of images; a video has three channels."""
    if os.path.isdir(recording):
        return read_image(_pictures(recording)[0]).shape
    return (*video_size(recording), 3)


def frame_sizes(recordings: list[Path]) -> collections.Counter:
    """How many files there are of each (height, width), from their headers."""
    return collections.Counter(
        image_header(file)[:2] if os.path.isdir(recording) else video_size(file)
        for recording in recordings
        for file in (list_images(recording) if os.path.isdir(recording) else [recording])
    )


def _open_recording(recording, form):
    if isinstance(recording, ArrayVideo):
        return recording.converted(form)
    form.check_picture_channels(recording)
    if not os.path.isdir(recording):
        return Video(recording, form)
    paths = _pictures(recording)
    # The others are as a rule like it; one that is not is refused when it is decoded.
    form.check_size(recording, image_header(paths[0])[:2])
    return Pictures(recording, paths, lambda path: form.convert(path, read_image(path)))


def _pictures(folder):
    return sorted(list_images(folder), key=natural_order)
