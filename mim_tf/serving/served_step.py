"""A network's time step with weights of its own."""

import keras
import tensorflow as tf

from mim_tf.layers import GateConvolution


class ServedStep:
    """A network's step with a copy of the weights it has now.

    Kernels that are multiplied in bfloat16 are kept in bfloat16: TensorFlow would convert them at
    every time step.

    Args:
        step: one time step, as in `models/step.py`.
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
        for layer in step._flatten_layers()
        if isinstance(layer, GateConvolution) and layer.precision == "bfloat16"
    }
    for variable in step.variables:
        value = tf.convert_to_tensor(variable.value)
        yield variable, tf.cast(value, "bfloat16") if id(variable) in rounded else value
