"""One time step of a network as a Keras model, and the parts all networks share.

A step takes a frame and the states, in this order, and returns the next frame and the new states
in the same order: `[frame, *states] -> [next frame, *new states]`. Frames are `[B, H, W, C]`;
patches exist only inside. All states are zero before the first frame.
"""

import keras

from mim_tf.config import ModelConfig
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
