"""Moving MNIST, generated as it is asked for."""

import hashlib
import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from mim_tf.data.files.arrays import from_uint8
from mim_tf.data.source import Indices, SequenceSource
from mim_tf.errors import MimError

DIGIT = 28
# Positions are whole numbers of 2**-32 pixels, so that no rounding depends on the machine.
SUBPIXEL_BITS = 32


class MovingMNIST(SequenceSource):
    """Digits that move in straight lines, bounce at the walls and overlap by maximum.

    Start positions are uniform, directions uniform on the circle, speeds uniform in 3..5 pixels
    a frame; digits are drawn at whole pixels. Sequence i depends on `seed` and i only, bit by
    bit, on any machine; nothing is stored.

    Args:
        digits: uint8 `[n, 28, 28]`.
        size: number of sequences; None: no end.
        total_length: frames of a sequence.
        height: of a frame, in pixels, at least 28.
        width: of a frame, in pixels, at least 28.
        num_digits: digits in a sequence.
        seed: whole number, or a tuple of them.
        origin: of the digits, for `describe`.

    Raises `MimError` for digits of another kind, frames smaller than a digit, counts below 1.

    Source: Srivastava et al., "Unsupervised Learning of Video Representations using LSTMs",
    2015, with the speeds of the files released with MIM in 2019.
    """

    channels = 1

    def __init__(
        self,
        digits: np.ndarray,
        size: int | None,
        total_length: int = 20,
        height: int = 64,
        width: int = 64,
        num_digits: int = 2,
        seed: int | tuple[int, ...] = 0,
        origin: str = "an array",
    ):
        if digits.dtype != np.uint8 or digits.shape[1:] != (DIGIT, DIGIT) or not len(digits):
            raise MimError(
                f"Moving MNIST needs digits uint8 [n, {DIGIT}, {DIGIT}], received {digits.dtype} "
                f"{list(digits.shape)}. Load them with mim_tf.data.moving_mnist.digits.load_digits."
            )
        if min(height, width) < DIGIT:
            raise MimError(
                f"Moving MNIST needs frames of at least {DIGIT} x {DIGIT} pixels, the size of a "
                f"digit, received {height} x {width} (height x width). Raise img_width."
            )
        counts = {"total_length": total_length, "num_digits": num_digits}
        if size is not None:
            counts["the number of sequences"] = size
        for name, count in counts.items():
            if count < 1:
                raise MimError(f"Moving MNIST needs {name} of at least 1, received {count}.")
        self.digits = digits
        self.size = size
        self.shape = (total_length, height, width, self.channels)
        self.num_digits = num_digits
        self.origin = origin
        self.seed = tuple(int(part) for part in (seed if isinstance(seed, tuple) else (seed,)))
        digest = hashlib.sha256(repr(self.seed).encode()).digest()
        self._key = int.from_bytes(digest[:16], "little")

    def sequences(self, indices: Indices) -> np.ndarray:
        streams = [self._stream(int(index)) for index in indices]
        frames = np.zeros((len(streams) * self.shape[0], *self.shape[1:]), np.uint8)
        for digit, rows, columns in self._motions(streams):
            images = np.repeat(self.digits[digit], self.shape[0], axis=0)
            paste(frames, images[..., None], rows.ravel(), columns.ravel())
        return from_uint8(frames).reshape(len(streams), *self.shape)

    def describe(self) -> dict:
        return super().describe() | {
            "source": "generated Moving MNIST",
            "num_digits": self.num_digits,
            "seed": list(self.seed),
            "digits": len(self.digits),
            "digits_origin": self.origin,
            "digits_sha256": hashlib.sha256(np.ascontiguousarray(self.digits)).hexdigest(),
        }

    def _stream(self, index):
        """The random numbers of sequence `index`, 64 bits each."""
        if index < 0 or (self.size is not None and index >= self.size):
            raise IndexError(f"sequence {index} of {self.size}")
        # Each index has a counter range of its own; only the raw stream, which NumPy promises
        # never to change, is used.
        return _raw_numbers(np.random.Philox(key=self._key, counter=index << 128))

    def _motions(self, streams):
        """For each digit: which one it is, `[B]`, and its rows and columns, `[B, T]`."""
        draws = np.array([self._draw_motion(raw) for raw in streams], np.int64)
        draws = draws.reshape(len(streams), self.num_digits, 5)
        total_length, height, width, _ = self.shape
        return [
            (
                digit,
                whole_pixels(top, down, total_length, height - DIGIT),
                whole_pixels(left, right, total_length, width - DIGIT),
            )
            for digit, top, left, down, right in draws.transpose(1, 2, 0)
        ]

    def _draw_motion(self, raw):
        """Per digit of a sequence: digit, top, left, velocity down, velocity right."""
        _, height, width, _ = self.shape
        return [
            (
                below(next(raw), len(self.digits)),
                below(next(raw), (height - DIGIT << SUBPIXEL_BITS) + 1),
                below(next(raw), (width - DIGIT << SUBPIXEL_BITS) + 1),
                *_velocity(raw),
            )
            for _ in range(self.num_digits)
        ]


def whole_pixels(
    start: np.ndarray, velocity: np.ndarray, total_length: int, room: int
) -> np.ndarray:
    """Positions on one axis, rounded to pixels.

    Args:
        start: int64 `[B]` in 2**-32 pixels, within 0..`room`.
        velocity: int64 `[B]` in 2**-32 pixels a frame.
        total_length: frames T.
        room: last position, in pixels, before the wall.

    Returns:
        int64 `[B, T]` in pixels, within 0..`room`.
    """
    room = room << SUBPIXEL_BITS
    unfolded = start[:, None] + velocity[:, None] * np.arange(total_length)
    # An elastic bounce is a straight line folded back and forth between the walls.
    positions = room - np.abs(unfolded % max(2 * room, 1) - room)
    return (positions + (1 << SUBPIXEL_BITS - 1)) >> SUBPIXEL_BITS


def paste(frames: np.ndarray, images: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> None:
    """Draws an image into each frame; where something is there already, the maximum counts.

    Args:
        frames: `[N, H, W, C]` in C order; changed.
        images: `[N, h, w, C]`.
        rows: `[N]`, of the images' upper left pixels.
        columns: `[N]`, likewise.
    """
    count, height, width, channels = frames.shape
    # The channels of a pixel lie side by side: a row is as good as one that is C times as wide.
    frames = frames.reshape(count, height, width * channels)
    images = images.reshape(count, images.shape[1], images.shape[2] * channels)
    windows = sliding_window_view(frames, images.shape[1:], axis=(1, 2), writeable=True)
    place = np.arange(count), rows, columns * channels
    windows[place] = np.maximum(windows[place], images)


def below(raw: int, limit: int) -> int:
    """Whole number in 0..`limit` - 1 from the 64 random bits `raw`."""
    return raw * limit >> 64


def _raw_numbers(stream):
    while True:
        yield from stream.random_raw(16).tolist()


def _velocity(raw):
    """Velocity (down, right) in 2**-32 pixels a frame.

    The direction is that of a uniform point in the unit disc: unlike sine and cosine, square
    root and division are correctly rounded everywhere.
    """
    speed = 3 + 2 * _unit(next(raw))
    while True:
        down, right = 2 * _unit(next(raw)) - 1, 2 * _unit(next(raw)) - 1
        square = down * down + right * right
        if 0 < square <= 1:
            scale = speed / math.sqrt(square) * 2**SUBPIXEL_BITS
            return int(down * scale), int(right * scale)


def _unit(raw):
    """Float in [0, 1) from 64 random bits, exactly."""
    return (raw >> 11) * 2.0**-53
