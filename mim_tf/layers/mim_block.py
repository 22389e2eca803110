"""Memory In Memory block."""

import keras
from keras import ops

from mim_tf.layers.cell import ConvolutionalCell
from mim_tf.layers.mim_s import MIMS


@keras.saving.register_keras_serializable("mim_tf")
class MIMBlock(ConvolutionalCell):
    """An ST-LSTM whose temporal forget gate is a memory of its own, MIM-S.

    With `*` a convolution followed by tensor layer norm, `.` element-wise, `s` sigmoid:

        i_x, g_x, f_x, o_x = Wx * x;  i_t, g_t, o_t = Wt * h;  i_s, g_s, f_s, o_s = Ws * m
        T, S' = MIM-S(D', c, S)
        c' = T + s(i_x + i_t) . tanh(g_x + g_t)
        m' = s(f_x + f_s + 1) . m + s(i_x + i_s) . tanh(g_x + g_s)
        h' = s(o_x + o_t + o_s) . tanh(W1x1 [c', m'])

    Call arguments:
        inputs: x (h' of the layer below) and D' (of this layer's MIM-N), each `[B, H, W, C]`.
        states: h, c, S, m, each `[B, H, W, filters]`.

    Returns:
        h' and the new states [h', c', S', m'].

    Source: equation 1 of the paper; 2019 code, `MIMBlock`.
    """

    state_names = ("h", "c", "s", "m")

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.from_input = self.gates(4, "from_input")
        self.from_hidden = self.gates(3, "from_hidden")
        self.from_memory = self.gates(4, "from_memory")
        self.mim_s = MIMS(
            self.filters, self.kernel_size, self.layer_norm, self.precision, name="mim_s"
        )
        self.reduce = self.cell_reduce()

    def build_gates(self, inputs_shape, state_shape):
        below, difference = inputs_shape
        self.from_input.build(below)
        self.from_hidden.build(state_shape)
        self.from_memory.build(state_shape)
        self.mim_s.build(difference)
        self.reduce.build((*state_shape[:-1], 2 * self.filters))

    def call(self, inputs, states):
        below, difference = inputs
        hidden, cell, stationary, memory = states
        i_x, g_x, f_x, o_x = ops.split(self.from_input(below), 4, axis=-1)
        i_t, g_t, o_t = ops.split(self.from_hidden(hidden), 3, axis=-1)
        i_s, g_s, f_s, o_s = ops.split(self.from_memory(memory), 4, axis=-1)

        kept, (_, stationary) = self.mim_s(difference, [cell, stationary])
        cell = kept + ops.sigmoid(i_x + i_t) * ops.tanh(g_x + g_t)
        memory = ops.sigmoid(f_x + f_s + 1) * memory + ops.sigmoid(i_x + i_s) * ops.tanh(g_x + g_s)
        merged = self.reduce(ops.concatenate([cell, memory], axis=-1))
        hidden = ops.sigmoid(o_x + o_t + o_s) * ops.tanh(merged)
        return hidden, [hidden, cell, stationary, memory]

    def read_out(self, below, difference, hidden, cell, stationary, memory):
        """`T` of MIM-S and its gates; for looking inside, not used in `call`."""
        return self.mim_s.memory_and_gates(difference, cell, stationary)
