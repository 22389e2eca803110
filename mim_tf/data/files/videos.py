"""Videos and GIFs as recordings, decoded when first read and then kept as uint8.

A frame of a video is followed by a hole where the next one comes late. A frame of a GIF lasts its
duration, which is a whole number of steps.
"""

import contextlib
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import PIL.Image
import PIL.ImageSequence
from absl import logging

from mim_tf.data.files.arrays import Stamp, from_levels, warn_once
from mim_tf.data.files.holes import pace_of_steps
from mim_tf.data.files.images import FrameFormat, flat
from mim_tf.data.source import Indices, Recording
from mim_tf.errors import MimError
from mim_tf.storage.paths import opened

LARGEST_FRAME = 178_956_970
"""In pixels; also Pillow's limit for pictures."""

_MOST_BITS = 14
"""Formats of fewer bits say how many there are; 16 often hold fewer, which are dark then."""

MOST_STEPS = 100_000
"""Largest number of time steps of a GIF."""


class LazyValue:
    """An array made of a file at the first call, by one thread, while other threads wait.

    If making it fails, the next call tries again. A file changed by then raises `MimError`.
    """

    def __init__(self, make: Callable, path: str | Path):
        self._make, self._value = make, None
        self._lock = threading.Lock()
        self._stamp = Stamp.of(path) if Path(path).exists() else None  # `make` reports broken links

    def __call__(self) -> Any:
        with self._lock:
            if self._value is None:
                if self._stamp:
                    self._stamp.check()
                # A copy of what is a view of another array, such as of a larger picture.
                self._value = np.require(self._make(), requirements="O")
            return self._value


class Video(Recording):
    """The video in a file of any format that FFmpeg reads, turned upright as its file says.

    Its length is the number of packets in the container, known without decoding. The times of the
    packets say where time is missing.

    Raises `MimError` for files that cannot be opened and for another size than `form` has; at the
    first read, for videos that cannot be decoded to as many frames.
    """

    def __init__(self, path: str | Path, form: FrameFormat):
        self.name = str(path)
        self._path, self._form = path, form
        form.check_size(self.name, video_size(path))
        self._frames = LazyValue(self._decode, path)
        self._index = self._positions()
        self.length = len(self._index)

    def read(self, positions: Indices) -> np.ndarray:
        return from_levels(self._frames()[self._index[positions]])

    def _positions(self):
        """Return which decoded frame is shown at each time, and set `holes` and `step`."""
        with _open_stream(self._path) as (container, stream):
            found, end = [], 0
            for packet in container.demux():
                if packet.pts is not None:
                    end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base)
                # The last packet is empty; frames before the start of a cut video are discarded.
                if packet.size and packet.stream_index == stream.index:
                    found.append((packet.is_discard, packet.pts, packet.dts))
            count = len(found)
            form = stream.codec_context.format
            if form and form.components[0].bits > _MOST_BITS:
                logging.warning(
                    "%s: pixels of %d bits are read as 8 bits. Dark ones lose levels. Save the "
                    "frames as PNG or .npy to keep them.",
                    *(self._path, form.components[0].bits),
                )
            if stream.metadata.get("alpha_mode") == "1":  # of VP8 and VP9
                warn_once(
                    "%s: its transparency is not read. Encode it as FFV1 to keep it.", self._path
                )
            if container.format.name == "avi" and found:
                # It counts frames that were dropped, too, which only take time.
                count = max(count, (found[-1][2] or 0) + 1)
            if count < stream.frames:
                raise ValueError(f"it ends early: there are {count} of {stream.frames} frames")
            # These do not count their frames. Other formats estimate how long they last.
            says_length = container.format.name.startswith(("matroska", "flv"))
            length = (container.duration or 0) / av.time_base if says_length else 0
            if end < 0.95 * length:
                raise ValueError(f"it ends early: there are {float(end):g} of {length:g} seconds")
            times = [shown for is_discarded, *shown in found if not is_discarded]
            if not times:
                raise ValueError("there is no frame in it")
            # Packets of some formats, such as AVI, have times of decoding alone.
            for each in zip(*times, strict=True):
                if None not in each and not self.step:
                    seconds = np.diff(np.sort(each)) * float(stream.time_base)
                    self.holes, self.step = pace_of_steps(seconds, 0.5)
        return np.arange(len(times))

    def _decode(self):
        count = self._index[-1] + 1
        frames = np.empty((count, *self._form.frame_shape), np.uint8)
        decoded = 0
        for frame, picture in zip(frames, self._pictures(), strict=False):
            frame[:] = self._form.convert(self.name, picture)
            decoded += 1
        if decoded < count:
            raise MimError(f"{self.name}: Expected {count} frames, got {decoded}. Encode it again.")
        return frames

    def _pictures(self) -> Iterator[np.ndarray]:
        """Yield RGB frames, uint8 `[H, W, 3]`, upright; transparent pixels are black."""
        for frame in _decoded(self._path):
            if frame.is_corrupt:
                warn_once("%s: frames are damaged. Encode or download it again.", self._path)
            if any(part.is_alpha for part in frame.format.components):
                picture = flat(PIL.Image.fromarray(frame.to_ndarray(format="rgba")))
            else:
                picture = frame.to_ndarray(format="rgb24")
            (a, b), (c, d) = _matrix(self._path, frame)
            if b:  # a quarter turn
                picture, a, d = picture.swapaxes(0, 1), c, b
            yield picture[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]


def open_video(path: str | Path, form: FrameFormat) -> Video:
    """Open a video or a GIF, by its first bytes, not by its name."""
    return (Gif if _is_gif(path) else Video)(path, form)


def video_size(path: str | Path) -> tuple[int, int]:
    """Return the upright (height, width) of the first video stream of a file, or of a GIF."""
    if _is_gif(path):
        with opened(path, "a GIF") as file, PIL.Image.open(file) as image:
            return image.height, image.width
    with contextlib.closing(_decoded(path)) as frames:
        for frame in frames:
            (a, _), _ = _matrix(path, frame)
            return (frame.height, frame.width) if a else (frame.width, frame.height)
    with _open_stream(path) as (_, stream):  # not decodable, as a read will say
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
        stream = container.streams.best("video")
        if stream is None or stream.codec_context is None:
            raise ValueError("there is no video stream in it that can be decoded")
        if not 0 < stream.height * stream.width <= LARGEST_FRAME:
            raise ValueError(f"frames of {stream.height} x {stream.width}")
        yield container, stream


def _decoded(path):
    with _open_stream(path) as (container, stream):
        stream.thread_type = "AUTO"
        # The size may change within a video; FFmpeg checks it before it allocates memory.
        stream.codec_context.options = {"max_pixels": str(LARGEST_FRAME)}
        yield from container.decode(stream)


def _matrix(path, frame):
    """Return the display matrix of a frame, signs of quarter turns and mirrorings.

    `(a, b), (c, d)`: a pixel of column x and row y is shown in column a x + c y, row b x + d y.
    """
    data = frame.side_data.get("DISPLAYMATRIX")
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(data)) if data else (1, 0, 0, 0, 1)
    if (a or d) and (b or c):
        raise MimError(
            f"{path}: expected a video turned by quarters, got {frame.rotation} degrees. Encode it "
            "again."
        )
    return (np.sign(a), np.sign(b)), (np.sign(c), np.sign(d))


class Gif(Video):
    """A GIF, whose frames last a whole number of steps.

    Programs write a frame that does not change once, with a longer duration. The shortest duration
    in the file is a step; if others are a hundredth of a second longer, because a GIF rounds, the
    step is the mean of these. A frame without a duration lasts one step.

    Raises `MimError` for corrupted files, for another size than `form` has, and for more than
    `MOST_STEPS` steps.
    """

    def _positions(self):
        with opened(self._path, "a GIF") as file:
            durations = np.array(_durations(file.read()))
        lasting = durations[durations > 0]
        step = lasting[lasting <= lasting.min() + 1].mean() if len(lasting) else np.inf
        steps = np.maximum(1, np.rint(durations / step).astype(np.int64))
        if steps.sum() > MOST_STEPS:
            lasts = f"{lasting.min() / 100:g} to {durations.max() / 100:g} seconds"
            raise MimError(
                f"{self.name}: expected a GIF of at most {MOST_STEPS:,} steps, got "
                f"{steps.sum():,}: its frames last {lasts}. Save it with equal durations."
            )
        self.step = step / 100 if len(lasting) else 0.0
        return np.repeat(np.arange(len(steps)), steps)

    def _pictures(self):
        with opened(self._path, "a GIF") as file, PIL.Image.open(file) as image:
            yield from map(flat, PIL.ImageSequence.Iterator(image))


def _is_gif(path):
    with opened(path, "a video") as file:
        return file.read(4) == b"GIF8"


def _durations(content: bytes) -> list[int]:
    """Return the duration of each frame of a GIF in hundredths of a second, without decoding it.

    Raises `ValueError` if it ends early.
    """
    found, duration = [], 0
    try:
        at = 13 + _colours(content[10])
        while (kind := content[at]) != 0x3B:  # the trailer
            if kind == 0x21:  # an extension
                if content[at + 1] == 0xF9:
                    (duration,) = struct.unpack_from("<H", content, at + 4)
                at += 2
            elif kind == 0x2C:  # a frame
                found.append(duration)
                duration = 0
                at += 11 + _colours(content[at + 9])
            else:
                raise ValueError(f"it has no block of kind {kind}")
            while content[at]:  # parts, each with its length
                at += 1 + content[at]
            at += 1
    except (IndexError, struct.error):
        raise ValueError("it ends early") from None
    if not found:
        raise ValueError("there is no frame in it")
    return found


def _colours(flags):
    """Return the bytes of a colour table."""
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0
