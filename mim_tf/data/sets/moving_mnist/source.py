"""Moving MNIST, grey or colour-changing, generated when it is asked for, or read from files.

Sequence i depends on the seed and i only, bit by bit, on any machine; nothing is stored. So all
random numbers are whole numbers from the raw stream of a counter-based generator, and positions and
colours are computed in whole numbers or by operations that are correctly rounded everywhere.
"""

import functools
import hashlib
import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from mim_tf.config import DataConfig
from mim_tf.data.files.arrays import (
    ArraySource,
    from_levels,
    member_shape,
    open_npy,
    warn_of_order,
)
from mim_tf.data.sets.moving_mnist.digits import load_digits
from mim_tf.data.sets.moving_mnist.npz import NpzSource
from mim_tf.data.source import Indices, SequenceSource
from mim_tf.data.split import ALL, SPLITS, Selection, divide, split_paths
from mim_tf.errors import MimError

DIGIT = 28
# Positions are whole numbers of 2**-32 pixels, so that no rounding depends on the machine.
SUBPIXEL_BITS = 32


class MovingMNIST(SequenceSource):
    """Digits that move in straight lines, bounce at the walls and overlap by maximum.

    Start positions are uniform, directions uniform on the circle, speeds uniform in 3..5 pixels
    a frame; digits, uint8 `[n, 28, 28]`, are drawn at whole pixels. `size` None means an endless
    number of sequences; `origin` of the digits is for `describe`.

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
        if min(height, width) < DIGIT:
            raise MimError(
                f"Expected frames of Moving MNIST of at least {DIGIT} x {DIGIT} pixels, the size "
                f"of a digit, got {height} x {width} (height x width). Raise --img_width."
            )
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
        return from_levels(frames).reshape(len(streams), *self.shape)

    def describe(self) -> dict:
        return super().describe() | {
            "source": "generated Moving MNIST",
            "num_digits": self.num_digits,
            "seed": list(self.seed),
            "digits": len(self.digits),
            "digits_origin": self.origin,
            "digits_sha256": hashlib.sha256(self.digits.tobytes()).hexdigest(),
        }

    def _stream(self, index):
        """Return an iterator of the random numbers of sequence `index`, 64 bits each."""
        if index < 0 or (self.size is not None and index >= self.size):
            raise IndexError(f"sequence {index} of {self.size}")
        # Each index has a counter range of its own; only the raw stream, which NumPy promises
        # never to change, is used.
        return iter(np.random.Philox(key=self._key, counter=index << 128).random_raw, None)

    def _motions(self, streams):
        """Return for each digit its number `[B]` and its rows and columns `[B, T]`."""
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
        """Draw (number, top, left, velocity down, velocity right) of each digit of a sequence."""
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
    """Return positions on one axis in whole pixels, int64 `[B, T]` within 0..`room`.

    `start` and `velocity` are int64 `[B]` in 2**-32 pixels and 2**-32 pixels a frame.
    """
    room = room << SUBPIXEL_BITS
    unfolded = start[:, None] + velocity[:, None] * np.arange(total_length)
    # An elastic bounce is a straight line folded back and forth between the walls.
    positions = room - np.abs(unfolded % max(2 * room, 1) - room)
    return (positions + (1 << SUBPIXEL_BITS - 1)) >> SUBPIXEL_BITS


def paste(frames: np.ndarray, images: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> None:
    """Draw an image `[N, h, w, C]` into each frame `[N, H, W, C]`; overlaps take the maximum.

    `rows` and `columns` `[N]` are of the images' upper left pixels. Frames are in C order.
    """
    count, height, width, channels = frames.shape
    # The channels of a pixel lie side by side, so a row can be treated as C times as wide.
    frames = frames.reshape(count, height, width * channels)
    images = images.reshape(count, images.shape[1], images.shape[2] * channels)
    windows = sliding_window_view(frames, images.shape[1:], axis=(1, 2), writeable=True)
    place = np.arange(count), rows, columns * channels
    windows[place] = np.maximum(windows[place], images)


def below(raw: int, limit: int) -> int:
    """Return a whole number in 0..`limit` - 1 from the 64 random bits `raw`."""
    return raw * limit >> 64


def _velocity(raw):
    """Draw a velocity (down, right) in 2**-32 pixels a frame."""
    # The direction is of a uniform point in the unit disc, because square root and division are
    # correctly rounded on every machine, sine and cosine are not.
    speed = 3 + 2 * _unit(next(raw))
    while True:
        down, right = 2 * _unit(next(raw)) - 1, 2 * _unit(next(raw)) - 1
        square = down * down + right * right
        if 0 < square <= 1:
            scale = speed / math.sqrt(square) * 2**SUBPIXEL_BITS
            return int(down * scale), int(right * scale)


def _unit(raw):
    """Return a float in [0, 1) from 64 random bits, exactly."""
    return (raw >> 11) * 2.0**-53


# Colours are drawn as whole millionths, so that no rounding depends on the machine.
MILLION = 10**6
LOWEST, HIGHEST = 290_000, 700_000
# 0.005 and 0.018 a frame, over the 19 steps of 20 frames.
LEAST_CHANGE, MOST_CHANGE = 19 * 5_000, 19 * 18_000


class ColorMovingMNIST(MovingMNIST):
    """Moving MNIST in RGB whose digits change colour; arguments and motion as for `MovingMNIST`.

    Each digit has one colour in a frame, and each channel of it changes linearly from one random
    value in the first frame to another in the last. A pixel is the digit's level times the
    colour; overlaps take the maximum of each channel.

    Measured on the authors' pictures of 20 frames: values of a channel from 0.29 to 0.70 which
    rise or fall by 0.005 to 0.018 a frame. Chosen here: the change from first to last frame is
    uniform in 0.095..0.342 (19 such steps), up or down with even odds, whatever the number of
    frames; the lower end is uniform where both ends are within 0.29..0.70; channels and digits
    are independent.

    Source: the colour-changing data set of the MIM paper (Wang et al., 2019).
    """

    channels = 3

    def sequences(self, indices: Indices) -> np.ndarray:
        streams = [self._stream(int(index)) for index in indices]
        motions, colors = self._motions(streams), self._colors(streams)
        frames = np.zeros((len(streams), *self.shape), np.float32)
        for (digit, rows, columns), color in zip(motions, colors, strict=True):
            # One sequence at a time fits into the processor's cache.
            for n, sequence in enumerate(frames):
                paste(sequence, _painted(self.digits[digit[n]], color[n]), rows[n], columns[n])
        return frames

    def describe(self) -> dict:
        return super().describe() | {"source": "generated colour-changing Moving MNIST"}

    def _colors(self, streams):
        """Return colours float32 `[num_digits, B, T, 3]`; call it after `_motions`."""
        count = self.num_digits * self.channels
        draws = [[_draw_ends(raw) for _ in range(count)] for raw in streams]
        draws = np.array(draws, np.int64).reshape(len(streams), self.num_digits, 1, 3, 2)
        first, last = draws[..., 0], draws[..., 1]
        steps = max(self.shape[0] - 1, 1)
        step = np.arange(self.shape[0])[:, None]
        # Whole numbers up to the one division, which is correctly rounded everywhere.
        colors = (first * (steps - step) + last * step) / (steps * MILLION)
        return colors.astype(np.float32).swapaxes(0, 1)


def _draw_ends(raw):
    """Draw the first and last value of a channel of a digit, in millionths."""
    change = LEAST_CHANGE + below(next(raw), MOST_CHANGE - LEAST_CHANGE + 1)
    low = LOWEST + below(next(raw), HIGHEST - LOWEST - change + 1)
    rises = below(next(raw), 2)
    return (low, low + change) if rises else (low + change, low)


def _painted(image, colors):
    """Return a digit uint8 `[h, w]` in each of the colours `[T, 3]`, as `[T, h, w, 3]`."""
    # Whole rows are multiplied, because NumPy is slow along an axis of three.
    rows = np.repeat(from_levels(image), 3, axis=1) * np.tile(colors, image.shape[1])[:, None]
    return rows.reshape(len(colors), *image.shape, 3)


_SIZE = (64, 64)
_GENERATORS = {"mnist": MovingMNIST, "mnist_color": ColorMovingMNIST}

# Loaded once, so that all splits of a run are of one set.
_digits = functools.cache(load_digits)


def shape_of_mnist(data: DataConfig) -> tuple[int, int, int]:
    """Return (H, W, C) of the frames in the first file; 64 x 64 if they are generated."""
    paths, _ = split_paths(data, "train")
    if not paths:
        return (*_SIZE, _GENERATORS[data.dataset].channels)
    if paths[0].suffix.lower() == ".npy":
        return (*open_npy(paths[0]).shape[2:], 1)[:3]
    _, channels, height, width = member_shape(paths[0], "input_raw_data", "f", 4)
    return height, width, channels


def open_mnist(
    data: DataConfig, split: str, frame_shape, total_length: int | None
) -> SequenceSource:
    """Open a split, or "all" of files; without `total_length` it is as long as in the file."""
    paths, shared = split_paths(data, split)
    # A file to test on, such as the released one, is not divided: training is generated.
    to_test_only = bool(paths) and not data.train_data_paths
    if not paths or (to_test_only and split == "train"):
        return _generate(data, split, frame_shape, total_length)
    if all(path.suffix.lower() == ".npy" for path in paths):
        if len(paths) > 1:
            raise MimError(f"Expected one .npy file, got {len(paths)}.")
        array, name = open_npy(paths[0]), str(paths[0])
        source: SequenceSource = ArraySource(array, total_length, name)
        warn_of_order(array, name)
    else:
        source = NpzSource(paths, total_length, data.check_files)
    if not shared or to_test_only or split == ALL:
        return source
    return Selection(source, divide(list(range(source.size or 0)), data, split))


def _generate(data, split, frame_shape, total_length):
    digits = _digits(data.digits)
    height, width, _ = frame_shape
    return _GENERATORS[data.dataset](
        getattr(digits, split),
        getattr(data, f"{split}_sequences") or None,
        total_length=total_length,
        height=height,
        width=width,
        num_digits=data.num_digits,
        seed=(data.data_seed, SPLITS.index(split)),
        origin=digits.origin,
    )
