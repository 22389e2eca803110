"""The loop over time."""

import keras
from keras import ops


def roll_out(step, frames, given):
    """Applies `step` once per column of `given`, from zero states.

    Args:
        step: one time step, as in `models/step.py`.
        frames: `[B, T, H, W, C]`, true frames.
        given: `[B, S]`. Where it is positive, time step t is fed `frames[:, t]`, otherwise the
            prediction of step t-1. Beyond the T true frames it has to be 0.

    Returns:
        The S next-frame predictions, `[B, S, H, W, C]`.
    """
    batch = ops.shape(frames)[0]
    first = [ops.zeros((batch, *state.shape[1:])) for state in step.inputs]
    loop = keras.layers.RNN(_Feed(step, frames), return_sequences=True)
    return loop(ops.expand_dims(given, -1), initial_state=[ops.zeros(()), *first])


class _Feed(keras.layers.Layer):
    """Cell of the loop: chooses the frame to feed and applies the step.

    States: the time t, the last prediction, the states of the step. A frame is looked up when its
    turn comes, so that predicting far ahead needs no padded copy of the input.
    """

    def __init__(self, step, frames):
        super().__init__()
        self.step = step
        self.frames = ops.stop_gradient(frames)
        self.state_size = [state.shape[1:] for state in step.inputs]
        self.built = True

    def call(self, given, states):
        time, last, *states = states
        index = ops.minimum(ops.cast(time, "int32"), ops.shape(self.frames)[1] - 1)
        true_frame = ops.take(self.frames, index, axis=1)
        frame = ops.where(ops.reshape(given, (-1, 1, 1, 1)) > 0, true_frame, last)
        prediction, *states = self.step([frame, *states])
        return prediction, [time + 1, prediction, *states]
