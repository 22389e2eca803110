"""One time step of a network as a Keras model.

A step takes a frame and the states, in this order, and returns the next frame and the new states
in the same order: `[frame, *states] -> [next frame, *new states]`. Frames are `[B, H, W, C]`;
patches exist only inside. All states are zero before the first frame.
"""

import keras

from mim_tf.config import ModelConfig


def state_inputs(shapes: dict[str, tuple[int, ...]]) -> dict[str, keras.KerasTensor]:
    """An input for each state, under its name."""
    return {name: keras.Input(shape, name=name) for name, shape in shapes.items()}


def frame_input(config: ModelConfig) -> keras.KerasTensor:
    """The input for the frame."""
    return keras.Input(config.frame_shape, name="frame")


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
