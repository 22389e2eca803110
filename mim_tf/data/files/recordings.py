"""Arrays of videos, each of which is a recording."""

import collections
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from mim_tf.config import DataConfig
from mim_tf.data.files.arrays import check_frames, check_interval, from_uint8, open_array
from mim_tf.data.files.images import (
    FrameFormat,
    image_header,
    list_images,
    natural_order,
    read_image,
    resize_image,
)
from mim_tf.data.files.npz_member import main_key, member_shape, read_member
from mim_tf.data.files.videos import VIDEO_SUFFIXES, Pictures, Video, video_size
from mim_tf.data.source import Indices
from mim_tf.data.windows import Recording, WindowSource, starts_within
from mim_tf.errors import MimError
from mim_tf.storage.paths import list_folder


class ArrayVideo(Recording):
    """One video of an array; its frames stay where they are.

    Args:
        name: of the video.
        frames: `[T, h, w, C]`, uint8 in 0..255 or float in [0, 1].
        size: (height, width) its frames are resized to; None: their own.
    """

    def __init__(self, name: str, frames: np.ndarray, size: tuple[int, int] | None = None):
        self.name = name
        self.length, *shape = frames.shape
        self.frame_shape = tuple(shape)
        self._frames = frames
        self._size = size

    def converted(self, form: FrameFormat) -> "ArrayVideo":
        """The same video with frames of `form`.

        Raises `MimError` if they have other channels or, unless `form` resizes, another size, and
        for the first value that is NaN or outside [0, 1], unless `form` has any range.
        """
        form.check_size(self.name, self.frame_shape[:2])
        form.check_array_channels(self.name, self.frame_shape[-1])
        if self._frames.dtype != np.uint8 and not form.any_range:
            check_interval(self._frames, self.name, ("frame",))
        return ArrayVideo(self.name, self._frames, form.frame_shape[:2])

    def read(self, positions: Indices) -> np.ndarray:
        frames = np.asarray(self._frames[positions])
        frames = from_uint8(frames) if frames.dtype == np.uint8 else frames.astype(np.float32)
        if self._size is None:
            return frames
        return np.stack([resize_image(frame, *self._size) for frame in frames])


def array_recordings(path: str | Path, check: bool = True) -> list[ArrayVideo]:
    """The videos of a `.npy` or `.npz` file; the first is named "path[0]".

    The array is `[N, T, H, W]` or `[N, T, H, W, C]`, uint8 or float. A `.npz` file holds only this
    array, or calls it `frames` or `data`. Arrays that are not compressed stay in the file; their
    values are looked at when a video is opened.

    Args:
        path: of the file.
        check: whether a `.npz` file is compared with its checksum, as for `read_member`.

    Raises `MimError` for files that cannot be read, and for other arrays.
    """
    path = Path(path)
    is_npz = path.suffix == ".npz"
    array = read_member(path, main_key(path), check=check) if is_npz else open_array(path)
    check_frames(array, path, {4: "[N, T, H, W]", 5: "[N, T, H, W, C]"})
    if array.ndim == 4:
        array = array[..., None]
    return [ArrayVideo(f"{path}[{n}]", frames) for n, frames in enumerate(array)]


def array_frame_shape(path: str | Path) -> tuple[int, int, int]:
    """(H, W, C) of the frames of such a file, from its header. Raises as `array_recordings`."""
    is_npz = Path(path).suffix == ".npz"
    shape = member_shape(path, main_key(path)) if is_npz else open_array(path).shape
    if len(shape) not in (4, 5):
        array_recordings(path)  # which says what is wrong
    return (*shape[2:], 1)[:3]


# MERGED: Folders of videos, or of folders of images, one for each recording.


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
    part: tuple[float, float] = (0.0, 1.0),
    any_range: bool = False,
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
        part: start and end of what is taken of each recording, as shares of its length.
        any_range: whether floats of arrays may be outside [0, 1], or NaN.

    Raises `MimError` for a recording that cannot be opened, for frames of another shape and if
    there is no window.
    """
    opened = convert_recordings(recordings, frame_shape, data.resize, any_range)
    length, stride, interval = (
        total_length or opened[0].length,
        data.window_stride,
        data.frame_interval,
    )
    whole = part == (0.0, 1.0)
    return WindowSource(
        opened,
        frame_shape,
        length,
        stride,
        interval,
        None if whole else starts_within(opened, part, length, stride, interval),
        description={
            "source": "recordings",
            "window_stride": data.window_stride,
            "frame_interval": data.frame_interval,
            "resize": data.resize,
            **({} if whole else {"part_of_each_recording": list(part)}),
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
