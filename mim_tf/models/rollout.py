"""The loop over time."""

import keras
from keras import ops


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
