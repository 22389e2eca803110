"""Checks that run inside an exported graph.

TensorFlow does not compare what an endpoint is sent with the shapes in its signature: without these
checks an input of another size could be broadcast, or end the process.
"""

import math
from collections.abc import Container

import keras
import numpy as np
import tensorflow as tf

from mim_tf.errors import MimError
from mim_tf.layers import GateConvolution
from mim_tf.models.machine import check_prediction, under
from mim_tf.models.registry import build_step
from mim_tf.models.rollout import roll_ahead
from mim_tf.runtime.keras_private import layers_inside

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


# MERGED: A network's time step with weights of its own.


class ServedStep:
    """A network's step with a copy of the weights it has now.

    Kernels that are multiplied in bfloat16 are kept in bfloat16: TensorFlow would convert them at
    every time step.

    Args:
        step: one time step, see `mim_tf.models.rollout`.
        freeze: make the weights constants of the graph. TensorFlow brings the kernels into the
            order its convolutions need once, not at every time step; and every endpoint that is
            used has copies of its own.

    Call arguments:
        inputs: those of `step`.
    """

    def __init__(self, step, freeze: bool = False):
        self.inputs = step.inputs
        self._step = step
        self._weights = [
            (variable, value.numpy() if freeze else tf.Variable(value))
            for variable, value in _as_used(step)
        ]
        # Traced once, so that constants are in the graph once.
        self._graph = tf.function(
            self._apply,
            autograph=False,
            input_signature=[[tf.TensorSpec(each.shape, each.dtype) for each in step.inputs]],
        )

    def __call__(self, inputs):
        return self._graph(inputs)

    def _apply(self, inputs):
        with keras.StatelessScope() as scope:
            for variable, value in self._weights:
                scope.add_update((variable, tf.convert_to_tensor(value)))
            return self._step(inputs)


def _as_used(step):
    """Every variable of `step`, and its value in the precision it is used in."""
    rounded = {
        id(layer.kernel)
        for layer in layers_inside(step)
        if isinstance(layer, GateConvolution) and layer.precision == "bfloat16"
    }
    for variable in step.variables:
        value = tf.convert_to_tensor(variable.value)
        yield variable, tf.cast(value, "bfloat16") if id(variable) in rounded else value


# MERGED: What a served model can be asked for.


LAST = "last_prediction"
"""State of a stream beside the network's: its newest prediction, not clipped."""

_LARGEST_MESSAGE = 2**31 - 1
"""Bytes of the largest message that servers and clients can exchange; protocol buffers' limit."""


class Endpoints:
    """The endpoints of a model, as functions of tensors that return a dict of tensors.

    B and T are at least 1. Frames are on the model's scale, in [0, 1] where that is clipped;
    predictions then are too, but not where the network goes on from them. A wrong shape or value
    is an InvalidArgumentError that names the input; of a picture that is damaged inside,
    TensorFlow's decoder speaks.

    Args:
        model: a `VideoPredictor`, whose weights are copied.
        horizon: frames to predict; 0: the model's horizon.
        freeze: as for `ServedStep`.

    Raises:
        MimError: if the horizon is negative or needs more memory than there is, or the backend is
            not TensorFlow.
    """

    def __init__(self, model, horizon: int = 0, freeze: bool = False):
        if keras.backend.backend() != "tensorflow":
            raise MimError(
                f"Export needs KERAS_BACKEND=tensorflow, received {keras.backend.backend()}."
            )
        self.horizon = horizon or model.config.horizon
        if self.horizon < 1:
            raise MimError(f"horizon must be at least 1, received {horizon}.")
        check_prediction(model.config, 1, model.config.input_length + self.horizon)
        self.frame_shape = model.config.frame_shape
        self.scale = model.config.scale
        self._in_unit = model.config.frame_scale.clipped
        self._unlimited = () if self._in_unit else (LAST,)
        self.step_model = ServedStep(_in_float32(model), freeze)
        # Traced once for all endpoints.
        self.forecast = tf.function(self.forecast, autograph=False)
        self._step = tf.function(self._step, autograph=False)
        self.state_shapes = {LAST: (None, *self.frame_shape)} | {
            state.name: tuple(state.shape) for state in model.step.inputs[1:]
        }
        numbers = sum(math.prod(shape[1:]) for shape in self.state_shapes.values())
        self.most_streams = _LARGEST_MESSAGE // (4 * numbers)

    def predict(self, frames):
        """`frames` `[B, T, H, W, C]`, float32, to `predictions` `[B, horizon, H, W, C]`.

        Predicts frames T+1 .. T+horizon.
        """
        frames = check_frames(frames, (None, None, *self.frame_shape), "frames", self._in_unit)
        return {"predictions": self.forecast(frames)}

    def predict_physical(self, frames):
        """As `predict`, with physical values for `frames` and `predictions`; NaN is missing."""
        frames = tf.ensure_shape(frames, (None, None, *self.frame_shape), name="frames")
        is_finite = ~tf.reduce_any(tf.math.is_inf(frames))  # which clipping would hide
        check = tf.debugging.Assert(is_finite, ["frames must be finite or NaN, received infinity."])
        low, size = self.scale.low, np.subtract(self.scale.high, self.scale.low)
        low, size = tf.constant(low, tf.float32), tf.constant(size, tf.float32)
        with tf.control_dependencies([check]):
            frames = (frames - low) / size
        frames = self._clipped(tf.where(tf.math.is_nan(frames), 0.0, frames))
        return {"predictions": self.predict(frames)["predictions"] * size + low}

    def predict_uint8(self, frames):
        """As `predict`, with uint8 for `frames` and `predictions`, rounded to the nearest level."""
        frames = check_frames(frames, (None, None, *self.frame_shape), "frames")
        predictions = self.predict(tf.cast(frames, tf.float32) / 255)["predictions"]
        return {"predictions": tf.cast(tf.round(predictions * 255), tf.uint8)}

    def predict_png(self, frames):
        """As `predict_uint8`, with PNG or JPEG strings `[B, T]` for `frames`.

        Returns:
            `predictions`, uint8, and the same as PNG strings `[B, horizon]`, `png_bytes`; by the
            end of that name TensorFlow Serving knows that they need base64 in JSON.
        """
        frames = check_frames(frames, (None, None), "frames")
        predictions = self.predict_uint8(decode(frames, self.frame_shape))["predictions"]
        return {"predictions": predictions, "png_bytes": encode(predictions)}

    def start(self, batch_size):
        """The states of `batch_size` (int32, no axes) streams before their first frame.

        At most as many as fit into a message of 2 GiB: they come back with every frame.
        """
        batch_size = tf.ensure_shape(batch_size, (), name="batch_size")
        inside = (batch_size >= 1) & (batch_size <= self.most_streams)
        text = (
            f"batch_size must be at least 1 and at most {self.most_streams}, whose states fit into "
            "a message of 2 GiB; received"
        )
        check = tf.debugging.Assert(inside, [text, batch_size])
        with tf.control_dependencies([check]):
            return {
                name: tf.zeros((batch_size, *shape[1:]))
                for name, shape in self.state_shapes.items()
            }

    def step(self, frame, states):
        """The next frame of each stream, `[B, H, W, C]`, and the states so far.

        Returns:
            `prediction` of the frame after it, `[B, H, W, C]`, and the new states.
        """
        frame = check_frames(frame, (None, *self.frame_shape), "frame", self._in_unit)
        states = check_states(states, self.state_shapes, tf.shape(frame)[0], self._unlimited)
        states = self._step(frame, states)
        return {"prediction": self._clipped(states[LAST]), **states}

    def rollout(self, states):
        """`predictions` `[B, horizon, H, W, C]` of the frames after the last that `step` was given.

        The states are not changed: the streams can go on. From the states of `start`, the first
        prediction is black.
        """
        states = check_states(states, self.state_shapes, unlimited=self._unlimited)
        predictions = tf.TensorArray(tf.float32, self.horizon).write(0, states[LAST])

        def predict_next(time, states, predictions):
            states = self._step(states[LAST], states)
            return time + 1, states, predictions.write(time, states[LAST])

        *_, predictions = tf.while_loop(
            lambda time, *_: time < self.horizon, predict_next, [1, states, predictions]
        )
        predictions = tf.transpose(predictions.stack(), [1, 0, 2, 3, 4])
        return {"predictions": self._clipped(predictions)}

    def signatures(self) -> dict:
        """Name of each endpoint -> its function and the specifications of its arguments."""
        frames = (None, None, *self.frame_shape)
        signatures = {"predict": (self.predict, [tf.TensorSpec(frames, tf.float32, "frames")])}
        if self.scale:
            physical = tf.TensorSpec(frames, tf.float32, "frames")
            signatures["predict_physical"] = (self.predict_physical, [physical])
        if self._in_unit:
            levels = tf.TensorSpec(frames, tf.uint8, "frames")
            signatures["predict_uint8"] = (self.predict_uint8, [levels])
        if self._in_unit and self.frame_shape[2] in (1, 3):
            strings = tf.TensorSpec((None, None), tf.string, "frames")
            signatures["predict_png"] = (self.predict_png, [strings])
        frame = tf.TensorSpec((None, *self.frame_shape), tf.float32, "frame")
        states = {
            name: tf.TensorSpec(shape, tf.float32, name)
            for name, shape in self.state_shapes.items()
        }
        return signatures | {
            "start": (self.start, [tf.TensorSpec((), tf.int32, "batch_size")]),
            "step": (self.step, [frame, states]),
            "rollout": (self.rollout, [states]),
        }

    def forecast(self, frames):
        """What `predict` returns as `predictions`, without its checks."""
        forecast = roll_ahead(self.step_model, frames, self.horizon)
        return self._clipped(tf.ensure_shape(forecast, (None, self.horizon, *self.frame_shape)))

    def _step(self, frame, states):
        network_states = [states[name] for name in self.state_shapes if name != LAST]
        predicted = self.step_model([frame, *network_states])
        return dict(zip(self.state_shapes, predicted, strict=True))

    def _clipped(self, frames):
        return tf.clip_by_value(frames, 0.0, 1.0) if self._in_unit else frames


def _in_float32(model):
    """The step of `model`, built anew where that has another policy; `precision` stays."""
    if model.dtype_policy.name == "float32":
        return model.step
    with under(keras.DTypePolicy("float32")):
        step = build_step(model.config)
    step.set_weights(model.step.get_weights())
    return step


# MERGED: Frames as encoded pictures, inside an exported graph.


_MARKS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
"""What PNG and JPEG files begin with."""


def decode(pictures, frame_shape):
    """Encoded pictures to frames.

    Args:
        pictures: strings `[B, T]`: PNG or JPEG, grey or colour.
        frame_shape: (H, W, C) the pictures have to have; C, 1 or 3, is converted to.

    Returns:
        `[B, T, H, W, C]`, uint8.
    """
    height, width, channels = frame_shape

    def decode_one(picture):
        known = [tf.strings.substr(picture, 0, len(mark)) == mark for mark in _MARKS]
        check = tf.debugging.Assert(
            tf.reduce_any(known), ["frames must be PNG or JPEG; received another kind of file."]
        )
        with tf.control_dependencies([check]):
            picture = tf.identity(picture)
        frame = tf.io.decode_image(picture, channels, expand_animations=False)
        check = tf.debugging.assert_equal(
            tf.shape(frame)[:2], (height, width), f"frames must be pictures of {width} x {height}."
        )
        with tf.control_dependencies([check]):
            frame = tf.identity(frame)
        frame.set_shape(frame_shape)
        return frame

    frames = tf.map_fn(
        decode_one,
        tf.reshape(pictures, [-1]),
        fn_output_signature=tf.TensorSpec(frame_shape, tf.uint8),
    )
    return tf.reshape(frames, tf.concat([tf.shape(pictures), frame_shape], 0))


def encode(frames):
    """Frames `[B, T, H, W, C]`, uint8, to PNG strings `[B, T]`."""
    flat = tf.reshape(frames, tf.concat([[-1], tf.shape(frames)[2:]], 0))
    pictures = tf.map_fn(tf.io.encode_png, flat, fn_output_signature=tf.TensorSpec([], tf.string))
    return tf.reshape(pictures, tf.shape(frames)[:2])
