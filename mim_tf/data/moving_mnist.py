"""Moving MNIST, generated as it is asked for."""

import hashlib
import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from mim_tf.data.arrays import unit_levels
from mim_tf.data.source import SequenceSource
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

    def __init__(
        self,
        digits,
        size,
        total_length=20,
        height=64,
        width=64,
        num_digits=2,
        seed=0,
        origin="an array",
    ):
        if digits.dtype != np.uint8 or digits.shape[1:] != (DIGIT, DIGIT) or not len(digits):
            raise MimError(
                f"Moving MNIST needs digits uint8 [n, {DIGIT}, {DIGIT}], received {digits.dtype} "
                f"{list(digits.shape)}. Load them with mim_tf.data.digits.load_digits."
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
        self.shape = (total_length, height, width, 1)
        self.num_digits = num_digits
        self.origin = origin
        self.seed = tuple(int(part) for part in (seed if isinstance(seed, tuple) else (seed,)))
        digest = hashlib.sha256(repr(self.seed).encode()).digest()
        self._key = int.from_bytes(digest[:16], "little")

    def sequences(self, indices):
        draws = np.array([self._draw(int(index)) for index in indices], np.int64)
        draws = draws.reshape(len(draws), self.num_digits, 5)
        total_length, height, width, _ = self.shape
        frames = np.zeros((len(draws) * total_length, height, width), np.uint8)
        windows = sliding_window_view(frames, (DIGIT, DIGIT), axis=(1, 2), writeable=True)
        every = np.arange(len(frames))
        for digit, top, left, down, right in draws.transpose(1, 2, 0):
            rows = whole_pixels(top, down, total_length, height - DIGIT).ravel()
            columns = whole_pixels(left, right, total_length, width - DIGIT).ravel()
            drawn = np.repeat(self.digits[digit], total_length, axis=0)
            place = every, rows, columns
            windows[place] = np.maximum(windows[place], drawn)
        return unit_levels(frames).reshape(len(draws), *self.shape)

    def describe(self):
        return {
            "source": "generated Moving MNIST",
            "sequences": self.size,
            "shape": list(self.shape),
            "num_digits": self.num_digits,
            "seed": list(self.seed),
            "digits": len(self.digits),
            "digits_origin": self.origin,
            "digits_sha256": hashlib.sha256(np.ascontiguousarray(self.digits)).hexdigest(),
        }

    def _draw(self, index):
        """Per digit of sequence `index`: digit, top, left, velocity down, velocity right."""
        if index < 0 or (self.size is not None and index >= self.size):
            raise IndexError(f"sequence {index} of {self.size}")
        # Each index has a counter range of its own; only the raw stream, which NumPy promises
        # never to change, is used.
        raw = _raw_numbers(np.random.Philox(key=self._key, counter=index << 128))
        _, height, width, _ = self.shape
        return [
            (
                _below(next(raw), len(self.digits)),
                _below(next(raw), (height - DIGIT << SUBPIXEL_BITS) + 1),
                _below(next(raw), (width - DIGIT << SUBPIXEL_BITS) + 1),
                *_velocity(raw),
            )
            for _ in range(self.num_digits)
        ]


def whole_pixels(start, velocity, total_length, room):
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


def _raw_numbers(stream):
    while True:
        yield from stream.random_raw(16).tolist()


def _below(raw, limit):
    """Whole number in 0..limit - 1 from 64 random bits."""
    return raw * limit >> 64


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
