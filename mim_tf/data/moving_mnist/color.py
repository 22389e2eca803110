"""Colour-changing Moving MNIST, generated as it is asked for."""

import numpy as np

from mim_tf.data.files.arrays import from_uint8
from mim_tf.data.moving_mnist.source import MovingMNIST, below, paste
from mim_tf.data.source import Indices

# Colours are drawn as whole millionths, so that no rounding depends on the machine.
MILLION = 10**6
LOWEST, HIGHEST = 290_000, 700_000
# 0.005 and 0.018 a frame, over the 19 steps of 20 frames.
LEAST_CHANGE, MOST_CHANGE = 19 * 5_000, 19 * 18_000


class ColorMovingMNIST(MovingMNIST):
    """Moving MNIST in RGB whose digits change colour; all arguments are those of `MovingMNIST`.

    Each digit has one colour in a frame, and each channel of it goes linearly from one random
    value in the first frame to another in the last. A pixel is the digit's level times the
    colour; overlaps take the maximum of each channel. The motion of sequence i is that of
    `MovingMNIST` with the same arguments, and like it depends on `seed` and i only, bit by bit,
    on any machine.

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
        """Colours float32 `[num_digits, B, T, 3]`; the draws follow those of the motion."""
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
    """First and last value of a channel of a digit, in millionths."""
    change = LEAST_CHANGE + below(next(raw), MOST_CHANGE - LEAST_CHANGE + 1)
    low = LOWEST + below(next(raw), HIGHEST - LOWEST - change + 1)
    rises = below(next(raw), 2)
    return (low, low + change) if rises else (low + change, low)


def _painted(image, colors):
    """Digit uint8 `[h, w]` in each of the colours `[T, 3]`, as `[T, h, w, 3]`."""
    # Whole rows are multiplied, because NumPy is slow along an axis of three.
    rows = np.repeat(from_uint8(image), 3, axis=1) * np.tile(colors, image.shape[1])[:, None]
    return rows.reshape(len(colors), *image.shape, 3)
