"""Endpoints of a served network, as TensorFlow functions that check what they are sent.

TensorFlow does not compare the inputs of an endpoint with the shapes in its signature: without the
checks here an input of another size could be broadcast, or end the process.
"""

import math

import keras
import tensorflow as tf

from mim_tf.errors import MimError
from mim_tf.layers import GateConvolution
from mim_tf.models.machine import check_prediction, under
from mim_tf.models.registry import build_step
from mim_tf.models.rollout import apart, roll_ahead, together
from mim_tf.runtime.keras_private import layers_inside

LARGEST_STATE = 1e6
"""Largest accepted value of a state: memories change by at most 1 a frame, so no stream reaches it,
and squares of much larger values overflow."""

LAST = "last_prediction"
"""State of a stream besides the states of the network: its newest prediction, not clipped."""

_LARGEST_MESSAGE = 2**31 - 1
"""Bytes of the largest message of protocol buffers, which servers and clients exchange."""

_MARKS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
"""First bytes of PNG and JPEG files."""


class Endpoints:
    """Endpoints of a network, as functions of tensors that return a dict of tensors.

    B and T are at least 1. Frames are on the network's scale, in [0, 1] if that is clipped.
    Predictions are clipped then too, except where the network goes on from them. A wrong shape or
    value raises an InvalidArgumentError that names the input. Corrupted pictures are reported by
    TensorFlow's decoder.

    Args:
        model: a `VideoPredictor`, whose weights are copied.
        horizon: frames to predict; 0: the network's horizon.
        freeze: as for `ServedStep`.

    Raises `MimError` if the horizon is negative or needs more memory than there is, or the backend
    is not TensorFlow.
    """

    def __init__(self, model, horizon: int = 0, freeze: bool = False):
        backend = keras.backend.backend()
        if backend != "tensorflow":
            raise MimError(f"Expected KERAS_BACKEND=tensorflow to export a model, got {backend}.")
        self.horizon = horizon or model.config.horizon
        if self.horizon < 1:
            raise MimError(f"Expected a --horizon of at least 1, got {horizon}.")
        check_prediction(model.config, 1, model.config.input_length + self.horizon)
        self.frame_shape = model.config.frame_shape
        self._frames = (None, None, *self.frame_shape)
        self.scale = model.config.scale
        self._in_unit = model.config.frame_scale.clipped
        self.step_model = ServedStep(_in_float32(model), freeze)
        # Traced once for all endpoints. `forecast` is `predict` without its checks.
        self.forecast = tf.function(self._forecast, autograph=False)
        self._step = tf.function(self._next_states, autograph=False)
        self._seen, channels = model.config.step_channels, self.frame_shape[2]
        # Of channels apart each has states, in an axis of their own after that of the streams.
        axis = (channels,) if self._seen < channels else ()
        shapes = {state.name: (None, *axis, *state.shape[1:]) for state in model.step.inputs[1:]}
        self._shapes = {LAST: (None, *self.frame_shape), **shapes}
        numbers = sum(math.prod(shape[1:]) for shape in self._shapes.values())
        self._most_streams = _LARGEST_MESSAGE // (4 * numbers)

    def predict(self, frames):
        """Return `predictions` `[B, horizon, H, W, C]` after frames `[B, T, H, W, C]`, float32."""
        frames = ensure_frames(frames, self._frames, "frames", self._in_unit)
        return {"predictions": self.forecast(frames)}

    def predict_physical(self, frames):
        """Predict as `predict`, from and to physical values; NaN is missing."""
        frames = tf.ensure_shape(frames, self._frames, name="frames")
        low, high, expected = self.scale.possible  # clipping would hide others
        is_possible = ~tf.reduce_any((frames < low) | (frames > high))
        frames = _checked(frames, [(is_possible, f"frames must be {expected}, or NaN.")])
        frames = self.scale.frames_of(frames, keras.ops)
        frames = self._clipped(tf.where(tf.math.is_nan(frames), 0.0, frames))
        predictions = self.predict(frames)["predictions"]
        return {"predictions": self.scale.values_of(predictions, keras.ops)}

    def predict_uint8(self, frames):
        """Predict as `predict`, from and to uint8; predictions are rounded to the nearest level."""
        frames = ensure_frames(frames, self._frames, "frames")
        predictions = self.predict(tf.cast(frames, tf.float32) / 255)["predictions"]
        return {"predictions": tf.cast(tf.round(predictions * 255), tf.uint8)}

    def predict_png(self, frames):
        """Predict as `predict_uint8`, from PNG or JPEG strings `[B, T]`.

        `png_bytes` are the predictions as PNG strings `[B, horizon]`. The ending `_bytes` makes
        TensorFlow Serving encode them as base64 in JSON.
        """
        frames = ensure_frames(frames, (None, None), "frames")
        predictions = self.predict_uint8(decode(frames, self.frame_shape))["predictions"]
        return {"predictions": predictions, "png_bytes": tf.io.encode_png(predictions)}

    def start(self, batch_size):
        """Return the states of `batch_size` (int32, no axes) streams before their first frame.

        States come back with every frame, so at most as many streams are allowed as fit into a
        message of 2 GiB.
        """
        batch_size = tf.ensure_shape(batch_size, (), name="batch_size")
        text = (
            f"batch_size must be at least 1 and at most {self._most_streams}, whose states fit "
            "into a message of 2 GiB; received"
        )
        fits = (batch_size >= 1) & (batch_size <= self._most_streams)
        size = _checked(batch_size, [(fits, text, batch_size)])
        return {name: tf.zeros((size, *shape[1:])) for name, shape in self._shapes.items()}

    def step(self, frame, states):
        """Return `prediction`, the frame after `frame`, and the new states.

        `frame` is the next frame of each stream, `[B, H, W, C]`, as is `prediction`.
        """
        frame = ensure_frames(frame, (None, *self.frame_shape), "frame", self._in_unit)
        states = self._step(frame, self._ensured(states, tf.shape(frame)[0]))
        return {"prediction": self._clipped(states[LAST]), **states}

    def rollout(self, states):
        """Return `predictions`, `[B, horizon, H, W, C]`, after the last frame given to `step`.

        The states do not change: the streams can go on. From the states of `start`, the first
        prediction is black.
        """
        states = self._ensured(states)
        predictions = tf.TensorArray(tf.float32, self.horizon).write(0, states[LAST])

        def predict_next(time, states, predictions):
            states = self._step(states[LAST], states)
            return time + 1, states, predictions.write(time, states[LAST])

        *_, predictions = tf.while_loop(
            lambda time, *_: time < self.horizon, predict_next, [1, states, predictions]
        )
        predictions = tf.transpose(predictions.stack(), [1, 0, 2, 3, 4])
        return {"predictions": self._clipped(predictions)}

    def forecast_or_nan(self, frames):
        """Return the predictions of `predict`, NaN for each sequence with a value it rejects.

        It has no assertions, which are lost where a graph is converted to another format.
        """
        is_valid = tf.reduce_all(_fits(frames, self._in_unit), [1, 2, 3, 4], keepdims=True)
        return self.forecast(frames) + tf.where(is_valid, 0.0, float("nan"))

    def signatures(self) -> dict:
        """Return the function of each endpoint and the specifications of its arguments."""
        floats = [tf.TensorSpec(self._frames, tf.float32, "frames")]
        signatures = {"predict": (self.predict, floats)}
        if self.scale:
            signatures["predict_physical"] = (self.predict_physical, floats)
        if self._in_unit:
            levels = tf.TensorSpec(self._frames, tf.uint8, "frames")
            signatures["predict_uint8"] = (self.predict_uint8, [levels])
        if self._in_unit and self.frame_shape[2] in (1, 3):
            strings = tf.TensorSpec((None, None), tf.string, "frames")
            signatures["predict_png"] = (self.predict_png, [strings])
        frame = tf.TensorSpec((None, *self.frame_shape), tf.float32, "frame")
        states = {name: tf.TensorSpec(each, name=name) for name, each in self._shapes.items()}
        return signatures | {
            "start": (self.start, [tf.TensorSpec((), tf.int32, "batch_size")]),
            "step": (self.step, [frame, states]),
            "rollout": (self.rollout, [states]),
        }

    def _forecast(self, frames):
        forecast = roll_ahead(self.step_model, frames, self.horizon)
        return self._clipped(tf.ensure_shape(forecast, (None, self.horizon, *self.frame_shape)))

    def _next_states(self, frame, states):
        inputs = [apart(frame, self._seen)]
        for state in self.step_model.inputs[1:]:
            inputs.append(tf.reshape(states[state.name], (-1, *state.shape[1:])))
        predicted, *new = self.step_model(inputs)
        states = {LAST: together(predicted, self.frame_shape[2])}
        names = [name for name in self._shapes if name != LAST]
        return states | {
            name: tf.reshape(state, (-1, *self._shapes[name][1:]))
            for name, state in zip(names, new, strict=True)
        }

    def _clipped(self, frames):
        return tf.clip_by_value(frames, 0.0, 1.0) if self._in_unit else frames

    def _ensured(self, states, batch=None):
        """Return `states`, with checks in the graph that precede all computation."""
        states = {
            name: tf.ensure_shape(states[name], shape, name=name)
            for name, shape in self._shapes.items()
        }
        batch = tf.shape(states[LAST])[0] if batch is None else batch
        checks = []
        for name, state in states.items():
            text = f"{name} must have the batch size of the other inputs."
            checks.append((tf.shape(state)[0] == batch, text))
            # Frames that are not clipped only have to be finite.
            is_frame = state.shape[1:3] == self.frame_shape[:2]
            limit = state.dtype.max if is_frame and not self._in_unit else LARGEST_STATE
            text = f"{name} must be finite and within {limit:g}, as step returned it; received"
            largest = tf.reduce_max(tf.abs(state))
            checks.append((tf.reduce_all(tf.abs(state) <= limit), text, largest))
        return _checked(states, checks)


class ServedStep:
    """Step of a network with a copy of the weights it has now; called with the inputs of `step`.

    With `freeze` the weights are constants of the graph. TensorFlow then reorders kernels for its
    convolutions once instead of at every time step, but each endpoint that is used has its own
    copies.
    """

    def __init__(self, step, freeze: bool = False):
        self.inputs = step.inputs
        self._step = step
        # Kernels that are multiplied in bfloat16 are stored in bfloat16, because TensorFlow would
        # convert them at every time step.
        rounded = {
            id(layer.kernel)
            for layer in layers_inside(step)
            if isinstance(layer, GateConvolution) and layer.precision == "bfloat16"
        }
        self._weights = []
        for variable in step.variables:
            value = tf.convert_to_tensor(variable.value)
            value = tf.cast(value, "bfloat16") if id(variable) in rounded else value
            self._weights.append((variable, value.numpy() if freeze else tf.Variable(value)))
        # Traced once, so that constants are in the graph once.
        specs = [tf.TensorSpec(each.shape, each.dtype) for each in step.inputs]
        self._graph = tf.function(self._apply, autograph=False, input_signature=[specs])

    def __call__(self, inputs):
        return self._graph(inputs)

    def _apply(self, inputs):
        with keras.StatelessScope() as scope:
            for variable, value in self._weights:
                scope.add_update((variable, tf.convert_to_tensor(value)))
            return self._step(inputs)


def _in_float32(model):
    """Return the step of `model`, rebuilt if its policy is another; `precision` stays."""
    if model.dtype_policy.name == "float32":
        return model.step
    with under(keras.DTypePolicy("float32")):
        step = build_step(model.config)
    step.set_weights(model.step.get_weights())
    return step


def _checked(tensors, checks):
    """Return tensors that the graph computes after checks: (condition, text, values ...)."""
    asserted = [tf.debugging.Assert(condition, list(data)) for condition, *data in checks]
    with tf.control_dependencies(asserted):
        return tf.nest.map_structure(tf.identity, tensors)


def _fits(frames, in_unit):
    return (frames >= 0) & (frames <= 1) if in_unit else tf.abs(frames) <= frames.dtype.max


def ensure_frames(frames, shape, name: str, in_unit: bool = True):
    """Return `frames`, with checks of their shape and range in the graph; errors have the `name`.

    A size of None in `shape` is any above 0. Floats must be in [0, 1] if `in_unit`, else finite.
    """
    frames = tf.ensure_shape(frames, shape, name=name)
    is_full = tf.reduce_all(tf.shape(frames) > 0)
    checks: list[tuple] = [(is_full, f"{name} must not be empty in any axis.")]
    if frames.dtype.is_floating:
        fits = _fits(frames, in_unit)
        needed = "finite and in [0, 1]" if in_unit else "finite"
        text = f"{name} must be {needed}, got values between"
        ends = tf.reduce_min(frames), tf.reduce_max(frames)
        checks.append((tf.reduce_all(fits), text, *ends))
    return _checked(frames, checks)


def decode(pictures, frame_shape):
    """Return PNG or JPEG strings `[B, T]`, grey or colour, as frames `[B, T, H, W, C]`, uint8.

    Pictures of H x W are converted to C channels, 1 or 3, of `frame_shape` (H, W, C).
    """
    height, width, channels = frame_shape

    def decode_one(picture):
        is_known = [tf.strings.substr(picture, 0, len(mark)) == mark for mark in _MARKS]
        text = "frames must be PNG or JPEG; got another kind of file."
        picture = _checked(picture, [(tf.reduce_any(is_known), text)])
        frame = tf.io.decode_image(picture, channels, expand_animations=False)
        fits = tf.reduce_all(tf.shape(frame)[:2] == (height, width))
        frame = _checked(frame, [(fits, f"frames must be pictures of {width} x {height}.")])
        frame.set_shape(frame_shape)  # without a check, which could come before the one above
        return frame

    frames = tf.map_fn(decode_one, tf.reshape(pictures, [-1]), fn_output_signature=tf.uint8)
    return tf.reshape(frames, tf.concat([tf.shape(pictures), frame_shape], 0))
