"""Recordings whose frames are decoded when first read, then kept as uint8.

`Pictures` has a file for each frame and decodes only the frames that are read; `Video` decodes a
whole video file at once, because frames of a video depend on each other.
"""

import contextlib
import functools
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import PIL.Image
import PIL.ImageSequence

from mim_tf.data.files.arrays import Stamp, from_uint8
from mim_tf.data.files.images import FrameFormat
from mim_tf.data.source import Indices
from mim_tf.data.windows import Recording
from mim_tf.errors import MimError
from mim_tf.storage.paths import opened

VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".m4v", ".gif")
LARGEST_FRAME = 178_956_970
"""In pixels; also Pillow's limit for pictures."""
_GIF_TAIL = 1024


class LazyValue:
    """A value that is made at the first call, by one thread, while other threads wait.

    If making it fails, the next call tries again.
    """

    def __init__(self, make: Callable):
        self._make = make
        self._lock = threading.Lock()
        self._made = False
        self._value = None

    def __call__(self) -> Any:
        with self._lock:
            if not self._made:
                self._value = self._make()
                self._made = True
            return self._value


class Pictures(Recording):
    """A recording with a picture file for each frame; `decode` makes uint8 `[H, W, C]` of one."""

    def __init__(self, name: str | Path, paths: Iterable, decode: Callable):
        self.name = str(name)
        # A copy, because the decoded array may be a view of a larger picture.
        self._frames = [
            LazyValue(functools.partial(lambda path: np.array(decode(path), np.uint8), path))
            for path in paths
        ]
        self.length = len(self._frames)

    def read(self, positions: Indices) -> np.ndarray:
        return from_uint8(self.levels(positions))

    def levels(self, positions: Indices) -> np.ndarray:
        """Return frames at `positions` as uint8 `[len(positions), H, W, C]`."""
        return np.stack([self._frames[position]() for position in positions])


class Video(Recording):
    """The video in a file of any format that FFmpeg reads.

    Its length is the number of packets in the container, known without decoding. Rotation marks
    are ignored.

    Raises `MimError` for files that cannot be opened and for another size than `form` has; at the
    first read, for videos that cannot be decoded to as many frames.
    """

    def __init__(self, path: str | Path, form: FrameFormat):
        self.name = str(path)
        self._path = path
        self._form = form
        with _open_stream(self._path) as (container, stream):
            self._stamp = Stamp.of(self._path)
            if not 0 < stream.height * stream.width <= LARGEST_FRAME:
                raise ValueError(f"frames of {stream.height} x {stream.width}")
            form.check_size(self.name, (stream.height, stream.width))
            found = self.length = 0
            for packet in container.demux(stream):
                # The last packet is empty; frames before the start of a cut video are discarded.
                found += packet.size > 0
                self.length += packet.size > 0 and not packet.is_discard
            # FFmpeg merges the frames of a GIF without times, as imageio writes it.
            self._untimed = container.format.name == "gif" and found < stream.frames
            if self._untimed:
                found = self.length = sum(1 for _ in _untimed_frames(self._path))
            if found < stream.frames:
                raise ValueError(f"it ends early: there are {found} of {stream.frames} frames")
            if not self.length:
                raise ValueError("there is no frame in it")
        self._frames = LazyValue(self._decode)

    def read(self, positions: Indices) -> np.ndarray:
        return from_uint8(self._frames()[positions])

    def _decode(self):
        self._stamp.check()
        frames = np.empty((self.length, *self._form.frame_shape), np.uint8)
        pictures = (_untimed_frames if self._untimed else _frames)(self._path)
        decoded = 0
        for frame, picture in zip(frames, pictures, strict=False):
            frame[:] = self._form.convert(self.name, picture)
            decoded += 1
        if decoded < self.length:
            raise MimError(
                f"{self.name}: Expected {self.length} frames, one a packet, got {decoded}. The "
                "file is corrupted; encode it again, for example with ffmpeg."
            )
        return frames


def video_size(path: str | Path) -> tuple[int, int]:
    """Return (height, width) of the first video stream of a file."""
    with _open_stream(path) as (_, stream):
        return stream.height, stream.width


@contextlib.contextmanager
def _open_stream(path):
    """Yield the opened container and its video stream."""
    # A playlist with the name of a video must not make FFmpeg access the internet.
    options = {"protocol_whitelist": "file"}
    with (
        opened(path, "a video", remedy="Encode or download it again.") as file,
        av.open(file, options=options, metadata_errors="replace") as container,
    ):
        if container.format.name == "gif":
            _check_end(file)
        stream = container.streams.best("video")
        if stream is None or stream.codec_context is None:
            raise ValueError("there is no video stream in it that can be decoded")
        yield container, stream


def _frames(path) -> Iterator[np.ndarray]:
    """Yield RGB frames, uint8 `[H, W, 3]`."""
    with _open_stream(path) as (container, stream):
        stream.thread_type = "AUTO"
        # The size may change within a video; FFmpeg checks it before it allocates memory.
        stream.codec_context.options = {"max_pixels": str(LARGEST_FRAME)}
        for picture in container.decode(stream):
            yield picture.to_ndarray(format="rgb24")


def _untimed_frames(path) -> Iterator[np.ndarray]:
    """Yield the RGB frames of a GIF without times."""
    with opened(path, "a video") as file, PIL.Image.open(file) as image:
        for picture in PIL.ImageSequence.Iterator(image):
            yield np.asarray(picture.convert("RGB"))


def _check_end(file):
    """Raise `ValueError` if a GIF is truncated; FFmpeg would return the frames that are left."""
    position = file.tell()
    file.seek(max(0, file.seek(0, os.SEEK_END) - _GIF_TAIL))
    if not file.read().rstrip(b"\0").endswith(b";"):
        raise ValueError("it ends early")
    file.seek(position)
