"""Checks that run inside an exported graph.

TensorFlow does not compare what an endpoint is sent with the shapes in its signature: without these
checks an input of another size could be broadcast, or end the process.
"""

from collections.abc import Container

import tensorflow as tf

LARGEST_STATE = 1e6
"""The largest value of a state that is taken, either way: memories change by at most 1 a frame, so
that no stream gets there, and squares of much larger ones overflow."""


def check_frames(frames, shape, name: str, in_unit: bool = True):
    """`frames`, once it is known that they have this shape, are not empty, and floats in range.

    Args:
        frames: float32, uint8 or strings.
        shape: the sizes, None being any.
        name: of the input, for the error.
        in_unit: whether floats have to be in [0, 1], or only finite.
    """
    frames = tf.ensure_shape(frames, shape, name=name)
    checks = [
        tf.debugging.assert_positive(tf.shape(frames), f"{name} must not be empty in any axis.")
    ]
    if frames.dtype.is_floating:
        low, high = tf.reduce_min(frames), tf.reduce_max(frames)
        fits = (frames >= 0) & (frames <= 1) if in_unit else tf.math.is_finite(frames)
        inside = tf.reduce_all(fits)
        text = (
            f"{name} must be finite{' and in [0, 1]' if in_unit else ''}, received values between"
        )
        checks.append(tf.debugging.Assert(inside, [text, low, high]))
    with tf.control_dependencies(checks):
        return tf.identity(frames)


def check_states(states: dict, shapes: dict, batch=None, unlimited: Container[str] = ()) -> dict:
    """`states`, once each is known to have its shape, one batch size, and values of a network.

    These are finite and within `LARGEST_STATE`. Nothing is computed before.

    Args:
        states: name -> tensor.
        shapes: name -> sizes, the batch being None.
        batch: the batch size; by default that of the first state.
        unlimited: names of states that only have to be finite.
    """
    states = {
        name: tf.ensure_shape(state, shapes[name], name=name) for name, state in states.items()
    }
    batch = tf.shape(next(iter(states.values())))[0] if batch is None else batch
    checks = []
    for name, state in states.items():
        text = f"{name} must have the batch size of the other inputs."
        checks.append(tf.debugging.assert_equal(tf.shape(state)[0], batch, text))
        limit = state.dtype.max if name in unlimited else LARGEST_STATE
        inside = tf.reduce_all(tf.abs(state) <= limit)
        text = f"{name} must be finite and within {limit:g}, as step returned it; received"
        size = tf.reduce_max(tf.abs(state))
        checks.append(tf.debugging.Assert(inside, [text, size]))
    with tf.control_dependencies(checks):
        return {name: tf.identity(state) for name, state in states.items()}
