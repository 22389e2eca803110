"""The motion of a field, and the field moved on along it, inside the network.

Extrapolation along optical flow is what a nowcast has to beat. A network with `prediction="flow"`
starts from it and learns what to change.
"""

import contextlib
from collections.abc import Iterator

import keras
import numpy as np
from keras import ops

RECENT = 4
"""Frames whose motion is measured together: one pair is noisy, and older motion may have turned."""

CELL = 2  # pixels: motion is measured on squares of so many, which halves it and its cost
NEIGHBOURHOOD = 8.0  # squares: standard deviation of what is taken to move as one
_SMOOTHING = 0.7  # squares: standard deviation, so that slopes reach as far as the motion
_WHOLE, _LOCAL = 2, 2  # rounds: first the field as a whole, then each neighbourhood
_SHARE = 0.05  # weight of the whole field in each neighbourhood, which counts where nothing moves


def moved(fields, displacement):
    """Return fields `[B, H, W, C]` with values that come from `displacement` away, bilinearly.

    `displacement` `[B, H, W, 2]` is in pixels, down and right, from a value to its origin. Values
    from beyond the border are those at the border.
    """
    height, width, channels = fields.shape[1:]
    down, right = (ops.squeeze(each, -1) for each in ops.split(displacement, 2, axis=-1))
    rows = ops.reshape(ops.cast(ops.arange(height), fields.dtype), (height, 1))
    top, down = _divided(down + rows, height)
    left, right = _divided(right + ops.cast(ops.arange(width), fields.dtype), width)
    values = ops.reshape(fields, (-1, channels))
    first = ops.reshape(ops.arange(ops.shape(fields)[0]) * (height * width), (-1, 1, 1))

    def corner(below, beside):
        row, column = ops.minimum(top + below, height - 1), ops.minimum(left + beside, width - 1)
        return ops.take(values, first + row * width + column, axis=0)

    above = corner(0, 0) * (1 - right) + corner(0, 1) * right
    below = corner(1, 0) * (1 - right) + corner(1, 1) * right
    return above * (1 - down) + below * down


def _divided(places, size):
    """Return the position before each place, within 0 .. size-1, and how far behind it that is."""
    places = ops.clip(places, 0, size - 1)
    before = ops.floor(places)
    return ops.cast(before, "int32"), ops.expand_dims(places - before, -1)


def motion(frames, known):
    """Measure the motion of fields: `[B, H, W, 2]`, from a value of the last frame to its origin.

    Least squares of Lucas and Kanade (1981) over a neighbourhood and over all pairs of consecutive
    frames, in rounds, each of which finds what the rounds before left.

    Args:
        frames: `[B, H, W, N]`, the last N frames of one channel.
        known: `[B, 1, 1, N-1]`, 1 for each pair that counts. Without any, nothing moves.
    """
    height, width = frames.shape[1:3]
    small = _blurred(ops.average_pool(frames, CELL, CELL, padding="same"), _SMOOTHING)
    before, after = small[:, :, :, :-1], small[:, :, :, 1:]
    flow = ops.zeros_like(small[:, :, :, :2])
    for n in range(_WHOLE + _LOCAL):
        origin = moved(before, flow)
        change = (origin - after) * known
        down, right = _slopes(origin * known)
        products = down * down, down * right, right * right, down * change, right * change
        sums = ops.stack([ops.sum(each, axis=-1) for each in products], axis=-1)
        whole = ops.mean(sums, axis=(1, 2), keepdims=True)
        sums = whole if n < _WHOLE else _blurred(sums, NEIGHBOURHOOD) + _SHARE * whole
        dd, dr, rr, dc, rc = ops.split(sums, 5, axis=-1)
        dd, rr = dd + 1e-7, rr + 1e-7  # no motion where nothing is
        found = ops.concatenate([dr * rc - rr * dc, dr * dc - dd * rc], -1) / (dd * rr - dr * dr)
        flow = flow + ops.clip(found, -2, 2)
    large = ops.image.resize(flow, (-(-height // CELL) * CELL, -(-width // CELL) * CELL))
    return CELL * large[:, :height, :width]


def _slopes(fields):
    padded = ops.pad(fields, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="symmetric")
    down = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
    right = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
    return down / 2, right / 2


def _blurred(fields, sigma):
    places = np.arange(-round(2.5 * sigma), round(2.5 * sigma) + 1)
    weights = np.exp(-0.5 * (places / sigma) ** 2)
    for shape in ((-1, 1, 1, 1), (1, -1, 1, 1)):
        kernel = np.tile((weights / weights.sum()).reshape(shape), (1, 1, fields.shape[-1], 1))
        fields = ops.depthwise_conv(fields, ops.cast(kernel, fields.dtype), padding="same")
    return fields


_branches = True


@contextlib.contextmanager
def without_branches() -> Iterator[None]:
    """Trace graphs without a conditional inside the loop, which tf2onnx cannot convert."""
    global _branches
    _branches = False
    try:
        yield
    finally:
        _branches = True


@keras.saving.register_keras_serializable("mim_tf")
class Moved(keras.layers.Layer):
    """`moved` as a layer: fields `[B, H, W, C]` and their displacement `[B, H, W, 2]`."""

    def call(self, fields, displacement):
        return moved(fields, displacement)

    def compute_output_shape(self, fields_shape, displacement_shape):
        return fields_shape


@keras.saving.register_keras_serializable("mim_tf")
class MovedOn(keras.layers.Layer):
    """The frame, moved by one step along the motion of the last measured frames.

    A frame that differs from the network's own last prediction is a measured one. While the network
    is fed its own predictions, the motion stays as it is at each place.

    Call arguments:
        inputs: frame `[B, H, W, C]` and the network's last prediction, of the same shape.
        states: as in `state_shapes`.

    Returns:
        The frame moved on, `[B, H, W, C]`, and the new states. None of them has a gradient.
    """

    @staticmethod
    def state_shapes(height: int, width: int) -> dict[str, tuple[int, int, int]]:
        """Return name -> shape, without B, of the states."""
        return {
            "recent": (height, width, RECENT),
            "known": (1, 1, RECENT),
            "motion": (height, width, 2),
        }

    def call(self, inputs, states):
        frame, predicted = (ops.stop_gradient(each) for each in inputs)
        recent, known, flow = states
        is_own = ops.all(ops.equal(frame, predicted), axis=(1, 2, 3), keepdims=True)

        def appended(old, new):
            return ops.where(is_own, old, ops.concatenate([old[:, :, :, 1:], new], axis=-1))

        recent = appended(recent, ops.mean(frame, axis=-1, keepdims=True))
        known = appended(known, ops.ones_like(known[:, :, :, :1]))

        def measured():
            return ops.where(is_own, flow, motion(recent, known[:, :, :, :-1]))

        # Most frames are its own predictions, and to measure costs a fifth of an update.
        branch = ops.cond if _branches else lambda known, kept, other: other()
        flow = branch(ops.all(is_own), lambda: flow, measured)
        moved_on, *new = map(ops.stop_gradient, (moved(frame, flow), recent, known, flow))
        return moved_on, new

    def compute_output_spec(self, inputs, states):
        frame, *new = (keras.KerasTensor(e.shape, e.dtype) for e in (inputs[0], *states))
        return frame, new
