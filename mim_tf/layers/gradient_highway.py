"""Gradient highway unit."""

import keras
from keras import ops

from mim_tf.layers.cell import ConvolutionalCell
from mim_tf.layers.initializers import small_uniform


@keras.saving.register_keras_serializable("mim_tf")
class GradientHighway(ConvolutionalCell):
    """GHU: a short way for gradients through time, between two layers of a stack.

    With `*` a convolution followed by tensor layer norm, `.` element-wise, `s` sigmoid:

        p, u = Wz * z + Wx * x
        z' = s(u) . tanh(p) + (1 - s(u)) . z

    Call arguments:
        inputs: x, `[B, H, W, C]`.
        states: z, `[B, H, W, filters]`, in a list.

    Returns:
        z' and the new states [z'].

    Source: PredRNN++ (ICML 2018); 2019 code, `GHU`.
    """

    state_names = ("z",)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.from_hidden = self.gates(2, "from_hidden")
        self.from_input = self.gates(2, "from_input")

    def gate_initializer(self):
        return small_uniform()

    def build_gates(self, inputs_shape, state_shape):
        self.from_hidden.build(state_shape)
        self.from_input.build(inputs_shape)

    def call(self, inputs, states):
        (highway,) = states
        p, u = ops.split(self.from_hidden(highway) + self.from_input(inputs), 2, axis=-1)
        switch = ops.sigmoid(u)
        highway = switch * ops.tanh(p) + (1 - switch) * highway
        return highway, [highway]
