"""Recordings of any kind: videos, folders of pictures, and the videos of an array.

Pictures and videos are decoded when first read, then kept as integers. `Pictures` has a file for
each frame and decodes only the frames that are read; `Video` and `Gif` decode a whole file at once,
because frames of a video depend on each other.

`list_recordings` and `array_recordings` find recordings; `open_recordings` opens them as windows of
frames of one shape.
"""

import collections
import functools
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from absl import logging

from mim_tf.config import DataConfig
from mim_tf.data.files import arrays, images
from mim_tf.data.files.holes import pace_of_names
from mim_tf.data.files.videos import LazyValue, open_video, video_size
from mim_tf.data.source import Indices, Recording, WindowSource
from mim_tf.data.split import split_recordings, with_paths
from mim_tf.errors import MimError
from mim_tf.storage.paths import list_folder, walk
from mim_tf.values.scale import RAIN_SCALES

_FEW_BITS = 14
"""Cameras with as many bits or fewer store dark pictures of 16 bits."""
VIDEO_SUFFIXES = (
    *(".mp4", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".m4v", ".gif"),
    *(".wmv", ".flv", ".ts", ".mts", ".3gp", ".ogv"),
)


class Pictures(Recording):
    """A recording with a picture file for each frame.

    `decode` makes `[H, W, C]` of one, uint8 or uint16.
    """

    def __init__(self, name: str | Path, paths: Iterable, decode: Callable):
        self.name = str(name)
        self._frames = [LazyValue(functools.partial(decode, p), p) for p in map(Path, paths)]
        self.length = len(self._frames)

    def read(self, positions: Indices) -> np.ndarray:
        return np.stack([arrays.from_levels(self._frames[position]()) for position in positions])

    def levels(self, positions: Indices) -> np.ndarray:
        """Return frames at `positions` as `[len(positions), H, W, C]`, not scaled to [0, 1]."""
        return np.stack([self._frames[position]() for position in positions])


class ArrayVideo(Recording):
    """One video `[T, h, w, C]` of an array, uint8 or float, resized to `size` when it is read."""

    def __init__(self, name: str, frames: np.ndarray, size: tuple[int, int] | None = None):
        self.name, self._frames = name, frames
        self.length, self.frame_shape = len(frames), frames.shape[1:]
        self.are_levels = frames.dtype == np.uint8
        self._size = size

    def converted(self, form: images.FrameFormat) -> "ArrayVideo":
        """Return the same video with frames of `form`; raise `MimError` if they do not fit."""
        form.check_size(self.name, self.frame_shape[:2])
        form.check_channels(self.name, self.frame_shape[-1:])
        if not self.are_levels and not form.any_range:
            arrays.check_interval(self._frames, self.name, ("frame",))
        return ArrayVideo(self.name, self._frames, form.frame_shape[:2])

    def read(self, positions: Indices) -> np.ndarray:
        frames = arrays.to_float32(arrays.take(self._frames, positions))
        if self._size is None:
            return frames
        return np.stack([images.resize_image(frame, *self._size) for frame in frames])


def array_recordings(path: str | Path, check: bool = True) -> list[ArrayVideo]:
    """Return the videos of a `.npy` or `.npz` file; the name of the first is "path[0]".

    The array is `[N, T, H, W]` or `[N, T, H, W, C]`, uint8 or float; its values are checked when a
    video is opened. In a `.npz` file with several arrays its name is `frames` or `data`. `check` is
    as for `read_member`.
    """
    path = Path(path)
    array = arrays.open_frames(path, check)
    arrays.check_array(array, path, {4: "[N, T, H, W]", 5: "[N, T, H, W, C]"})
    if array.ndim == 4:
        arrays.warn_of_channels(array.shape, path, "np.moveaxis(array, 1, -1)[None]")
        array = array[..., None]
    arrays.warn_of_order(array, path)
    return [ArrayVideo(f"{path}[{n}]", frames) for n, frames in enumerate(array)]


def array_frame_shape(path: str | Path) -> tuple[int, ...]:
    """Return (H, W, C) of the frames of such a file, from its header."""
    if Path(path).suffix.lower() == ".npz":
        shape = arrays.member_shape(path, arrays.main_key(path))
    else:
        shape = arrays.open_npy(path).shape
    if len(shape) not in (4, 5):
        array_recordings(path)  # raises the error
    arrays.check_channels_last(shape, path)
    return (*shape[2:], 1)[:3]


def list_recordings(folder: str | Path) -> list[Path]:
    """Return the recordings in `folder`, in natural order, without opening them.

    They are its video files and its subfolders with at least two images. If there are none, a
    video file, or a folder with at least two images, is a recording itself. A warning is logged for
    images beside recordings, which are not read, and for two recordings of one name.
    """
    folder = Path(folder)
    inside, itself = find_recordings(folder, VIDEO_SUFFIXES, 2)
    if not inside and not itself:
        found = ["a file of another kind" if os.path.lexists(folder) else "no such file or folder"]
        if os.path.isdir(folder):
            found = [path.name for path in list_folder(folder)][:3] or ["an empty folder"]
        raise MimError(
            f"{folder}: Expected videos ({', '.join(VIDEO_SUFFIXES)}), or subfolders of two images "
            f"({', '.join(images.IMAGE_SUFFIXES)}), got {', '.join(found)}. Give the folder that "
            "directly holds the recordings, or convert them. Arrays need --dataset=array."
        )
    if inside and itself:
        message = "%s: its images are not read, because %s is there."
        arrays.warn_once(message, folder, inside[0].name)
    inner = [each for each in list_folder(folder) if each.is_dir()] if inside else []
    for each in inner:
        is_other = each not in inside and each.name[0] != "." and not each.is_symlink()
        if is_other and os.access(each, os.R_OK) and any(each.iterdir()):
            message = "%s is not read: recordings are videos or folders of images in %s itself."
            arrays.warn_once(message, each, folder)
    warn_of_twins(inside)
    return inside or [folder]


def warn_of_twins(recordings: Iterable[Path]) -> None:
    """Log a warning for recordings whose names differ in nothing but the suffix."""
    names: dict[str, Path] = {}
    for each in recordings:
        first = names.setdefault(each.name if os.path.isdir(each) else each.stem, each)
        if first != each:
            arrays.warn_once(
                "%s: expected each recording once, got %s, too. If they are the same, remove one: "
                "the network could be trained on one and tested on the other.",
                *(each, first.name),
            )


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
            return len(images.list_images(path)) >= fewest_images
        return path.suffix.lower() in suffixes

    own = Path(os.path.realpath(path))
    children = list_folder(path) if os.path.isdir(path) else []
    # Leave out links to the folder itself or to a folder above it.
    children = [each for each in children if not own.is_relative_to(os.path.realpath(each))]
    return images.in_natural_order(filter(is_recording, children)), is_recording(path)


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
                        f"{path}: Expected it once, got {found[match['key']][0]} too. Remove one."
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

    Pictures become luminance if C is 1 and RGB if it is 3.
    Without `total_length` a window is as long as the first recording. `part` is the start and end
    of the part to take of each recording, as shares of its length. With `any_range` floats of
    arrays may be outside [0, 1], or NaN.
    """
    form = images.FrameFormat(frame_shape, data.resize, any_range)
    converted = [open_recording(recording, form) for recording in recordings]
    return WindowSource(
        converted,
        frame_shape,
        total_length or 1 + (converted[0].length - 1) // data.frame_interval,
        data.window_stride,
        data.frame_interval,
        part=part,
        description={
            "source": "recordings",
            "window_stride": data.window_stride,
            "frame_interval": data.frame_interval,
            "resize": data.resize,
            **({} if part == (0.0, 1.0) else {"part_of_each_recording": list(part)}),
        },
    )


def open_folder(data: DataConfig, split: str, frame_shape, total_length: int) -> WindowSource:
    """Open a split of videos and folders of images, divided by recording or along time."""
    recordings, part = split_recordings(list_recordings, data, split, along_time=True)
    return open_recordings(recordings, frame_shape, total_length, data, part)


def open_array(
    data: DataConfig, split: str, frame_shape, total_length: int | None, scale=None
) -> WindowSource:
    """Open a split of the videos of arrays, divided by video or along time."""
    list_in = functools.partial(array_recordings, check=data.check_files)
    recordings, part = split_recordings(list_in, data, split, along_time=True)
    any_range = scale is not None or set(data.scale_kinds) != {"unit"}
    levels = [video.name for video in recordings if video.are_levels]
    if levels and not scale and not RAIN_SCALES.keys().isdisjoint(data.scale_kinds):
        raise MimError(
            f"{levels[0]}: expected floats, rain in mm/h, for --scale={data.scale}, got uint8."
        )
    if levels and scale and not scale.clipped:
        scale.check_levels(levels[0])
    elif any_range and 0 < len(levels) < len(recordings):
        raise MimError(
            f"{levels[0]}: expected floats as in other arrays, got uint8, which are read as levels "
            f"/ 255. Save all as floats, or all as uint8, for --scale={data.scale}."
        )
    source = open_recordings(recordings, frame_shape, total_length, data, part, any_range)
    if levels and scale and scale.clipped:
        source.scale = scale  # whose range levels 0..255 stand for, as in `mim predict`
    return source


shape_of_array = with_paths(lambda paths, _: array_frame_shape(paths[0]))


@with_paths
def shape_of_folder(paths: list[Path], _: DataConfig) -> tuple[int, ...]:
    """Return (H, W, C) of the frames of the first recording; a video has 3 channels."""
    recording = list_recordings(paths[0])[0]
    if os.path.isdir(recording):
        return images.read_image(images.list_images(recording)[0]).shape
    return (*video_size(recording), 3)


def frame_sizes(recordings: list[Path]) -> collections.Counter:
    """Count the files of each (height, width), from their headers."""
    return collections.Counter(
        images.image_header(file)[:2] if os.path.isdir(recording) else video_size(file)
        for recording in recordings
        for file in (images.list_images(recording) if os.path.isdir(recording) else [recording])
    )


def open_recording(recording: Path | ArrayVideo, form: images.FrameFormat) -> Recording:
    """Open a recording so that its frames have the `form`."""
    if isinstance(recording, ArrayVideo):
        return recording.converted(form)
    form.check_channels(recording, (1, 3))
    if not os.path.isdir(recording):
        video = open_video(recording, form)
        if video.length == 1:
            message = "%s: a video of one frame is in it. Save frames of a recording as PNG."
            arrays.warn_once(message, recording.parent)
        return video
    paths = images.list_images(recording)
    # Checking one size finds most mistakes early; the other pictures are checked when decoded.
    height, width, mode = images.image_header(paths[0])
    form.check_size(recording, (height, width))
    _warn_of_depth(paths[0], mode)
    pictures = Pictures(recording, paths, lambda path: form.convert(path, images.read_image(path)))
    pictures.holes, pictures.step = pace_of_names(paths)
    return pictures


def _warn_of_depth(path, mode):
    """Log a warning if a picture is dark, or transparent, or does not keep levels of 16 bits."""
    if mode.endswith(";16") and not mode.startswith("I;16"):
        logging.warning("%s: colours of 16 bits are read as 8 bits. Dark ones lose levels.", path)
    if mode not in ("L", "LA", "RGBA") and not mode.startswith("I;16"):
        return
    largest = int(images.read_image(path).max())
    if mode.startswith("I;16") and largest < 2**_FEW_BITS:
        logging.warning(
            "%s: expected levels 0..65535 of 16 bits, got 0..%d, which is 0 to %.3g in frames. "
            "Stretch them, or save them as .npy with --dataset=array --scale=minmax.",
            *(path, largest, largest / 65535),
        )
    elif mode == "L" and largest == 1:
        arrays.warn_once(arrays.MASKS, path)
    elif mode in ("LA", "RGBA") and not largest:
        message = "%s: every pixel is black or transparent. Save pictures without transparency."
        logging.warning(message, path)
