"""One time step of a network as a Keras model, and the parts all networks share.

A step takes a frame and the states, in this order, and returns the next frame and the new states
in the same order: `[frame, *states] -> [next frame, *new states]`. Frames are `[B, H, W, C]`;
patches exist only inside. All states are zero before the first frame.
"""

import keras
from keras import ops

from mim_tf.config import ModelConfig
from mim_tf.errors import MimError
from mim_tf.layers import DepthToSpace, GateConvolution, SpaceToDepth


def frame_input(config: ModelConfig) -> keras.KerasTensor:
    """The input for the frame."""
    return keras.Input(config.frame_shape, dtype=_kept_dtype(), name="frame")


def state_inputs(config: ModelConfig, names, **others) -> dict[str, keras.KerasTensor]:
    """An input for each state, under its name.

    Args:
        config: decides the size of a hidden state, `[B, H/p, W/p, n]`.
        names: states of that size.
        **others: name=shape of states of another size, without B; they come first.
    """
    shapes = others | dict.fromkeys(names, (*config.grid, config.num_hidden[0]))
    return {
        name: keras.Input(shape, dtype=_kept_dtype(), name=name) for name, shape in shapes.items()
    }


def _kept_dtype():
    """Of weights, and of all that is kept from step to step: float32 with mixed policies."""
    return keras.config.dtype_policy().variable_dtype


def cell_settings(config: ModelConfig) -> dict:
    """The arguments of every cell of a network."""
    return {
        "filters": config.num_hidden[0],
        "kernel_size": config.filter_size,
        "layer_norm": config.layer_norm,
        "precision": config.precision,
    }


def to_patches(config: ModelConfig, frame):
    """What the bottom layer is fed: `[B, H, W, C]` to `[B, H/p, W/p, p*p*C]`."""
    return SpaceToDepth(config.patch_size, name="to_patches")(frame)


def to_frame(config: ModelConfig, hidden):
    """The predicted frame, `[B, H, W, C]`: a 1x1 convolution of the top layer's h, on patches.

    It is float32, or float64, whatever the precision and policy: bfloat16 tells 1 from 0.996, but
    nothing between, and here there is little to gain.
    """
    depth = config.patch_size**2 * config.img_channel
    dtype = _kept_dtype()
    patches = GateConvolution(depth, 1, layer_norm=False, dtype=dtype, name="to_pixels")(hidden)
    return DepthToSpace(config.patch_size, dtype=dtype, name="to_frame")(patches)


def step_model(frame, next_frame, old, new, name: str) -> keras.Model:
    """The step from its symbolic tensors.

    Args:
        frame: the frame input.
        next_frame: the prediction.
        old: name -> state input.
        new: name -> new state, the same names as `old`.
        name: of the model.
    """
    return keras.Model(
        [frame, *old.values()], [next_frame, *(new[state] for state in old)], name=name
    )


# MERGED: The loop over time.


def roll_out(step, frames, use_truth, rematerialise=False):
    """Applies `step` once per column of `use_truth`, from zero states.

    Args:
        step: one time step, as in `models/step.py`.
        frames: `[B, T, H, W, C]`, true frames.
        use_truth: `[B, S]`. Where it is positive, time step t is fed `frames[:, t]`, otherwise the
            prediction of step t-1. Beyond the T true frames it has to be 0.
        rematerialise: for the gradient, keep the states alone and compute the rest of each time
            step once more, which takes less memory and more time.

    Returns:
        The S next-frame predictions, `[B, S, H, W, C]`.
    """
    batch = ops.shape(frames)[0]
    dtype = step.inputs[0].dtype
    first = [ops.zeros((batch, *state.shape[1:]), dtype) for state in step.inputs]
    apply = _rematerialised(step) if rematerialise else step
    cell = _TimeStep(apply, frames, first, dtype=dtype)
    loop = keras.layers.RNN(cell, return_sequences=True, dtype=dtype)
    use_truth = ops.cast(ops.expand_dims(use_truth, -1), dtype)
    return loop(use_truth, initial_state=[ops.zeros((), dtype), *first])


class _TimeStep(keras.layers.Layer):
    """Cell of the loop: chooses the frame to feed and applies the step.

    States: the time t, the last prediction, the states of the step. A frame is looked up when its
    turn comes, so that predicting far ahead needs no padded copy of the input. What the step gives
    in half precision is kept in that of the loop.
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
    """`step`, computed once more where the gradient needs what it computed."""

    # Its weights are arguments: inside a TensorFlow loop, what is computed again cannot reach them.
    @keras.remat
    def apply(weights, inputs):
        return step.stateless_call(weights, [], inputs)[0]

    return lambda inputs: apply([ops.convert_to_tensor(each) for each in step.weights], inputs)


# MERGED: What a network is called with.


def frames_and_flags(inputs):
    """(frames, flags) of the inputs of a `VideoPredictor`; flags are None where there are none."""
    return (inputs["frames"], inputs["flags"]) if isinstance(inputs, dict) else (inputs, None)


def check_frames(config: ModelConfig, frames, flags=None) -> None:
    """Raises `MimError` for frames whose shape or type is not the model's; looks at no values.

    Args:
        config: of the model.
        frames: an array, or a tensor of any kind, whose sizes may be unknown.
        flags: what is given with them, `[B, S]`.
    """
    shortest = config.input_length + 1 if flags is None else (flags.shape[1] or 0) + 2
    length = frames.shape[1] if len(frames.shape) == 5 else 0
    fits = tuple(frames.shape[2:]) == config.frame_shape
    if not fits or (length is not None and length < shortest):
        expected = ", ".join(map(str, config.frame_shape))
        raise MimError(
            f"frames must be [B, T, {expected}] (B, T, H, W, C) with T at least {shortest}, "
            f"one more than the context; received {tuple(frames.shape)}."
            + fits
            * " To predict what follows them, call mim_tf.predict(model, frames, horizon)."
        )
    dtype = keras.backend.standardize_dtype(frames.dtype)
    if "float" in dtype:
        return
    if config.frame_scale.clipped:
        raise MimError(
            f"frames must be float in [0, 1], received {dtype}. Divide levels of 0 to 255 by 255."
        )
    raise MimError(
        f"frames must be float, on the scale of the model, received {dtype}: give "
        "model.config.scale.to_unit(values)."
    )
