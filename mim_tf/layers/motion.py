"""The motion of a field, and the field moved on along it, inside the network.

Extrapolation along optical flow is what a nowcast has to beat. A network with `prediction="flow"`
starts from it. It learns how fast each scale fades, as S-PROG estimates it (Seed, 2003), and what
else to change.
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

TRAIL = 3
"""Frames that are moved on together; what differs among them grows or fades."""

SCALES = 0.7, 1.5, 3.0, 6.0  # pixels: standard deviations of the blurs that are mixed


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
    # NaN has no place; as an index of an ONNX file it would be an error for the whole batch.
    index = ops.minimum(ops.maximum(ops.cast(before, "int32"), 0), size - 1)
    return index, ops.expand_dims(places - before, -1)


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
    """Return fields `[B, H, W, C]` as Gaussian means, of what lies within the border."""
    fields = ops.transpose(fields, (0, 3, 1, 2))
    # As products of matrices this takes an eighth of the time of convolutions with one row each.
    down, right = (ops.cast(_blur(size, sigma), fields.dtype) for size in fields.shape[2:])
    return ops.transpose(ops.matmul(ops.matmul(down, fields), ops.transpose(right)), (0, 2, 3, 1))


def _blur(size, sigma):
    """Return the weights of each mean over `size` pixels in a row, `[size, size]`."""
    distances = np.arange(size) - np.arange(size)[:, None]
    near = np.abs(distances) <= round(2.5 * sigma)
    weights = near * np.exp(-0.5 * (distances / sigma) ** 2)
    return weights / weights.sum(1, keepdims=True)


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
class ScaleMixture(keras.layers.Layer):
    """The newest moved frame, mixed with blurs of it and of the frames before.

    Call arguments:
        trail: `[B, H, W, TRAIL * C]`, frames that were moved to the same time, the newest first.
        weights: `[B, H/p, W/p, N_WEIGHTS]`, of each other frame or blur, instead of the newest.
            All of them zero give the newest frame.

    Returns:
        `[B, H, W, C]`.
    """

    N_WEIGHTS = TRAIL * (1 + len(SCALES)) - 1

    def __init__(self, patch_size, **kwargs):
        super().__init__(**kwargs)
        self.patch_size = patch_size

    def call(self, trail, weights):
        height, width = trail.shape[1:3]
        size = [patches * self.patch_size for patches in weights.shape[1:3]]
        weights = ops.image.resize(weights, size)[:, :height, :width]
        blurs = [trail, *(_blurred(trail, scale) for scale in SCALES)]
        newest, *others = ops.split(ops.concatenate(blurs, -1), TRAIL * len(blurs), axis=-1)
        shares = ops.split(weights, self.N_WEIGHTS, axis=-1)
        return newest + sum(w * (each - newest) for w, each in zip(shares, others, strict=True))

    def compute_output_shape(self, trail_shape, weights_shape):
        return (*trail_shape[:-1], trail_shape[-1] // TRAIL)

    def get_config(self):
        return super().get_config() | {"patch_size": self.patch_size}


@keras.saving.register_keras_serializable("mim_tf")
class MovedOn(keras.layers.Layer):
    """The frame and those before it, moved by one step along the motion of the measured frames.

    A frame that differs from the network's own last prediction is a measured one. While the network
    is fed its own predictions, the motion stays as it is at each place.

    Call arguments:
        inputs: frame `[B, H, W, C]` and the network's last prediction, of the same shape.
        states: as in `state_shapes`.

    Returns:
        Frames moved on, `[B, H, W, TRAIL * C]`, the newest first, and the new states. None of them
        has a gradient.
    """

    @staticmethod
    def state_shapes(height: int, width: int, channels: int) -> dict[str, tuple[int, int, int]]:
        """Return name -> shape, without B, of the states."""
        return {
            "recent": (height, width, RECENT),
            "known": (1, 1, RECENT),
            "motion": (height, width, 2),
            "trail": (height, width, (TRAIL - 1) * channels),
        }

    def call(self, inputs, states):
        frame, predicted = (ops.stop_gradient(each) for each in inputs)
        recent, known, flow, trail = states
        is_own = ops.all(ops.equal(frame, predicted), axis=(1, 2, 3), keepdims=True)

        def appended(old, new):
            return ops.where(is_own, old, ops.concatenate([old[:, :, :, 1:], new], axis=-1))

        recent = appended(recent, ops.mean(frame, axis=-1, keepdims=True))
        known = appended(known, ops.ones_like(known[:, :, :, :1]))

        def measured():
            return ops.where(is_own, flow, motion(recent, known[:, :, :, :-1]))

        # Most frames are its own predictions, for which nothing is to be measured.
        branch = ops.cond if _branches else lambda known, kept, other: other()
        flow = branch(ops.all(is_own), lambda: flow, measured)
        # Frames before the first one are taken to be like it.
        before = ops.split(trail, TRAIL - 1, axis=-1)
        seen = ops.split(known, RECENT, axis=-1)[-2::-1]
        before = [ops.where(n > 0, old, frame) for n, old in zip(seen, before, strict=False)]
        trail = moved(ops.concatenate([frame, *before], axis=-1), flow)
        new = recent, known, flow, trail[..., : -frame.shape[-1]]
        return ops.stop_gradient(trail), [ops.stop_gradient(each) for each in new]

    def compute_output_spec(self, inputs, states):
        frame, *new = (keras.KerasTensor(e.shape, e.dtype) for e in (inputs[0], *states))
        return keras.KerasTensor((*frame.shape[:-1], TRAIL * frame.shape[-1]), frame.dtype), new
