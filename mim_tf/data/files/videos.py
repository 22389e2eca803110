"""Frames that are decoded when first asked for, then kept as uint8."""

import contextlib
import functools
import os
import threading
from collections.abc import Callable, Iterable
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


class LazyValue:
    """A value that is made when first asked for, then kept.

    Threads that ask while it is being made wait for it. If making it fails, the next one to ask
    tries again.
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
    """A recording with a picture file for each frame; takes the memory of those frames as uint8.

    Args:
        name: of the recording.
        paths: of the pictures, in order.
        decode: makes uint8 `[H, W, C]` from a path, of one shape for all.
    """

    def __init__(self, name: str, paths: Iterable, decode: Callable):
        self.name = str(name)
        self._decode = decode
        self._frames = [LazyValue(functools.partial(self._levels, path)) for path in paths]
        self.length = len(self._frames)

    def read(self, positions: Indices) -> np.ndarray:
        return from_uint8(self.levels(positions))

    def levels(self, positions: Indices) -> np.ndarray:
        """Frames at `positions` as uint8 `[len(positions), H, W, C]`."""
        return np.stack([self._frames[position]() for position in positions])

    def _levels(self, path):
        # A copy, because what is decoded may be a small part of a picture still in memory.
        return np.array(self._decode(path), np.uint8)


# MERGED: Video files as recordings.


VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".m4v", ".gif")
# In pixels; Pillow's limit for pictures.
LARGEST_FRAME = 178_956_970
_GIF_TAIL = 1024


class Video(Recording):
    """The video of a file; decoded as a whole when first read, then kept as uint8.

    Its length is the number of packets in the container, known without decoding. Rotation marks
    are ignored.

    Args:
        path: the file, of any format FFmpeg reads.
        form: of its frames.

    Raises `MimError` for files that cannot be opened and for another size; when read, for videos
    that cannot be decoded to as many frames.
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
            found = 0
            self.length = 0
            for packet in container.demux(stream):
                # A last packet, without content, ends the stream.
                found += packet.size > 0
                self.length += packet.size > 0 and not packet.is_discard
            # FFmpeg takes the frames of a GIF that tells no times, as imageio writes them, for one.
            self._untimed = container.format.name == "gif" and found < stream.frames
            if self._untimed:
                found = self.length = _untimed_length(self._path)
            if found < stream.frames:
                raise ValueError(f"it ends early: there are {found} of {stream.frames} frames")
            if not self.length:
                raise ValueError("there is no frame in it")
        self._frames = LazyValue(self._decode)

    def read(self, positions: Indices) -> np.ndarray:
        return from_uint8(self._frames()[positions])

    def _decode(self):
        frames = np.empty((self.length, *self._form.frame_shape), np.uint8)
        decoded = 0
        self._stamp.check()
        pictures = _untimed_frames if self._untimed else _frames
        for frame, picture in zip(frames, pictures(self._path), strict=False):
            frame[:] = self._form.convert(self.name, picture)
            decoded += 1
        if decoded < self.length:
            raise MimError(
                f"{self.name}: expected {self.length} frames, as many as the file has packets, "
                f"received {decoded} when decoding it. It is damaged, or some packets show "
                "nothing; encode it again, for example with ffmpeg."
            )
        return frames


def video_size(path: str | Path) -> tuple[int, int]:
    """(height, width) of the first video stream of a file. Raises `MimError` as `Video`."""
    with _open_stream(path) as (_, stream):
        return stream.height, stream.width


@contextlib.contextmanager
def _open_stream(path):
    """The opened container and its video stream."""
    # A file that is in truth a playlist must not make FFmpeg ask the network.
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


def _frames(path):
    """RGB `[H, W, 3]`, uint8, one after the other."""
    with _open_stream(path) as (container, stream):
        stream.thread_type = "AUTO"
        # Sizes may change on the way; FFmpeg refuses before it takes memory.
        stream.codec_context.options = {"max_pixels": str(LARGEST_FRAME)}
        for picture in container.decode(stream):
            yield picture.to_ndarray(format="rgb24")


def _untimed_frames(path):
    """Those of a GIF without times."""
    with opened(path, "a video") as file, PIL.Image.open(file) as image:
        for picture in PIL.ImageSequence.Iterator(image):
            yield np.asarray(picture.convert("RGB"))


def _untimed_length(path):
    with opened(path, "a video") as file, PIL.Image.open(file) as image:
        return getattr(image, "n_frames", 1)


def _check_end(file):
    """Raises `ValueError` if a GIF does not end as one; FFmpeg would give the frames there are."""
    position = file.tell()
    file.seek(max(0, file.seek(0, os.SEEK_END) - _GIF_TAIL))
    if not file.read().rstrip(b"\0").endswith(b";"):
        raise ValueError("it ends early")
    file.seek(position)
