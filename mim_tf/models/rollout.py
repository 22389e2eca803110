"""The parts that all networks share, and the loop that applies a time step to a sequence.

A time step is a Keras model `[frame, *states] -> [next frame, *new states]`, with the states in the
same order. Frames are `[B, H, W, C]`; patches exist only inside. All states are zero before the
first frame.
"""

import keras
from keras import ops

from mim_tf.config import ModelConfig
from mim_tf.config.model import OF_PYTORCH
from mim_tf.layers import DepthToSpace, GateConvolution, Moved, MovedOn, ScaleMixture, SpaceToDepth


def frame_input(config: ModelConfig) -> keras.KerasTensor:
    """Return the input for the frame."""
    return keras.Input(config.frame_shape, dtype=_kept_dtype(), name="frame")


def state_inputs(config: ModelConfig, names, **others) -> dict[str, keras.KerasTensor]:
    """Return name -> input of each state.

    Args:
        config: gives the shape of a hidden state, `[B, H/p, W/p, n]`.
        names: names of the states of that shape.
        **others: name=shape of states of another shape, without B; they come first.
    """
    shapes = others | dict.fromkeys(names, (*config.grid, config.num_hidden[0]))
    return {
        name: keras.Input(shape, dtype=_kept_dtype(), name=name) for name, shape in shapes.items()
    }


def _kept_dtype():
    # Weights and states keep this dtype from step to step; it is float32 with mixed policies.
    return keras.config.dtype_policy().variable_dtype


def cell_settings(config: ModelConfig) -> dict:
    """Return the arguments that all cells of a network share."""
    by_position = config.layer_norm and config.model_name in OF_PYTORCH
    return {
        "filters": config.num_hidden[0],
        "kernel_size": config.filter_size,
        "layer_norm": "positions" if by_position else config.layer_norm,
        "precision": config.precision,
        "peephole": config.peephole,
    }


def to_patches(config: ModelConfig, frame):
    """Return the input of layer 1: patches `[B, H/p, W/p, p*p*C]` of `[B, H, W, C]`."""
    return SpaceToDepth(config.patch_size, name="to_patches")(frame)


def to_frame(config: ModelConfig, hidden, channels: int = 0, initializer="glorot_uniform"):
    """Return the predicted frame `[B, H, W, C]`: a 1x1 convolution of the top layer's h.

    By default C is that of frames, and kernels start as in 2019.
    """
    depth = config.patch_size**2 * (channels or config.img_channel)
    patches = _last_convolution(depth, initializer, "to_pixels")(hidden)
    size = config.frame_shape[:2]
    return DepthToSpace(config.patch_size, size, dtype=_kept_dtype(), name="to_frame")(patches)


def _last_convolution(filters, initializer, name):
    # It is never in half precision: bfloat16 has no value between 0.996 and 1, and a 1x1
    # convolution gains little speed.
    settings = {"layer_norm": False, "dtype": _kept_dtype(), "kernel_initializer": initializer}
    return GateConvolution(filters, 1, **settings, name=name)


class StepEnds:
    """Both ends of a time step: how a frame enters the layers, and how they make a prediction.

    `config.prediction` says what the layers predict. "frame": the next frame. "change": what is
    added to the frame; "motion": also how the frame moves; "flow": what is added to the frame
    moved along optical flow, which the layers see in its place, and how fast its scales fade.
    Except for "frame", the last convolution starts at zero, and the network with what is free.
    """

    def __init__(self, config: ModelConfig):
        self._config = config
        self._old, self._new = {}, {}
        self._frame = self._base = frame_input(config)
        if config.prediction == "flow":
            shapes = MovedOn.state_shapes(*config.frame_shape)
            self._old = state_inputs(config, (), predicted=config.frame_shape, **shapes)
            predicted, *states = self._old.values()
            along = MovedOn(dtype=_kept_dtype(), name="moved_on")
            self._trail, new = along([self._frame, predicted], states)
            self._base = self._trail[..., : config.img_channel]
            self._new = dict(zip(shapes, new, strict=True))
        self.patches = to_patches(config, self._base)

    def model(self, top, old, new, name: str) -> keras.Model:
        """Return the time step whose top layer gives `top`; other arguments as for `step_model`."""
        config, base = self._config, self._base
        if config.prediction == "frame":
            return step_model(self._frame, to_frame(config, top), old, new, name)
        moves = 2 if config.prediction == "motion" else 0
        found = to_frame(config, top, config.img_channel + moves, "zeros")
        if moves:
            base = Moved(dtype=_kept_dtype(), name="moved")(base, found[..., -2:])
        if config.prediction == "flow":
            weights = _last_convolution(ScaleMixture.N_WEIGHTS, "zeros", "to_mixture")(top)
            mixture = ScaleMixture(config.patch_size, dtype=_kept_dtype(), name="mixture")
            base = mixture(self._trail, weights)
        prediction = base + found[..., : config.img_channel]
        # The states of `MovedOn` come last; it compares the next frame with this prediction.
        new = new | self._new | ({"predicted": prediction} if self._old else {})
        step = step_model(self._frame, prediction, old | self._old, new, name)
        step.prediction = config.prediction
        return step


def step_model(frame, next_frame, old, new, name: str) -> keras.Model:
    """Return the time step as a model.

    Args:
        frame: the frame input.
        next_frame: the prediction.
        old: name -> state input.
        new: name -> new state, with the names of `old` in any order.
        name: name of the model.
    """
    return keras.Model(
        [frame, *old.values()], [next_frame, *(new[state] for state in old)], name=name
    )


def roll_out(step, frames, use_truth, rematerialise=False):
    """Apply `step` once per column of `use_truth`, starting from zero states.

    Args:
        step: one time step of a network.
        frames: true frames `[B, T, H, W, C]`.
        use_truth: `[B, S]`. Time step t gets `frames[:, t]` where the value is positive, otherwise
            the prediction of step t-1. Must be 0 beyond the T true frames.
        rematerialise: store only the states for the gradient and compute each time step again,
            which takes less memory and more time.

    Returns:
        The S next-frame predictions, `[B, S, H, W, C]`.
    """
    channels, seen = frames.shape[-1], step.inputs[0].shape[-1]
    if channels != seen:
        use_truth = ops.repeat(use_truth, channels // seen, axis=0)
        return together(roll_out(step, apart(frames, seen), use_truth, rematerialise), channels)
    batch = ops.shape(frames)[0]
    dtype = step.inputs[0].dtype
    first = [ops.zeros((batch, *state.shape[1:]), dtype) for state in step.inputs]
    apply = _rematerialised(step) if rematerialise else step
    cell = _TimeStep(apply, frames, first, dtype=dtype)
    loop = keras.layers.RNN(cell, return_sequences=True, dtype=dtype)
    use_truth = ops.cast(ops.expand_dims(use_truth, -1), dtype)
    return loop(use_truth, initial_state=[ops.zeros((), dtype), *first])


def apart(frames, seen: int):
    """Return frames `[B, ..., C]` as `[B * C/seen, ..., seen]`, for a step that sees fewer.

    The channels of a sequence follow one another.
    """
    _, *sizes, channels = ops.shape(frames)
    frames = ops.reshape(frames, (-1, *sizes, channels // seen, seen))
    return ops.reshape(ops.moveaxis(frames, -2, 1), (-1, *sizes, seen))


def together(frames, channels: int):
    """Return frames `[B * C/seen, ..., seen]` as `[B, ..., C]`, the inverse of `apart`."""
    _, *sizes, seen = ops.shape(frames)
    frames = ops.reshape(frames, (-1, channels // seen, *sizes, seen))
    return ops.reshape(ops.moveaxis(frames, 1, -2), (-1, *sizes, channels))


class _TimeStep(keras.layers.Layer):
    """Cell of the loop: chooses the next input frame and applies the step.

    States: the time t, the last prediction, the states of the step. Each frame is looked up at its
    time step, so a long horizon needs no padded copy of the input. Outputs of the step in half
    precision are converted to the dtype of the loop.
    """

    def __init__(self, step, frames, states, dtype):
        super().__init__(dtype=dtype)
        self.step = step
        self.frames = ops.stop_gradient(frames)
        self.state_size = [state.shape[1:] for state in states]
        self.built = True

    def call(self, use_truth, states):
        time, last, *states = states
        index = ops.minimum(ops.cast(time, "int32"), ops.shape(self.frames)[1] - 1)
        true_frame = ops.take(self.frames, index, axis=1)
        frame = ops.where(ops.reshape(use_truth, (-1, 1, 1, 1)) > 0, true_frame, last)
        prediction, *states = (
            ops.cast(each, self.variable_dtype) for each in self.step([frame, *states])
        )
        return prediction, [time + 1, prediction, *states]


def _rematerialised(step):
    # The weights are arguments, because code that is computed again inside a TensorFlow loop cannot
    # access variables outside the loop.
    @keras.remat
    def apply(trained, others, inputs):
        return step.stateless_call(trained, others, inputs)[0]

    variables = step.trainable_variables, step.non_trainable_variables
    return lambda inputs: apply(*keras.tree.map_structure(ops.convert_to_tensor, variables), inputs)


def roll_ahead(step, context, horizon: int):
    """Predict the `horizon` frames after `context`: `[B, horizon, H, W, C]`, not clipped.

    Args:
        step: one time step of a network.
        context: frames `[B, T, H, W, C]`, T >= 1.
        horizon: number of frames, >= 1.
    """
    context = ops.cast(context, step.inputs[0].dtype)
    known = ops.ones_like(context[:, :, 0, 0, 0])
    unknown = ops.zeros((ops.shape(context)[0], horizon - 1), known.dtype)
    use_truth = ops.concatenate([known, unknown], axis=1)
    return roll_out(step, context, use_truth)[:, ops.shape(context)[1] - 1 :]
