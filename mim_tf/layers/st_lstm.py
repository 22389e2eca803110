"""Spatiotemporal LSTM."""

import keras
from keras import ops

from mim_tf.layers.cell import ConvolutionalCell


@keras.saving.register_keras_serializable("mim_tf")
class STLSTMCell(ConvolutionalCell):
    """ST-LSTM: a cell state c through time and a spatial memory m through the stack.

    With `*` a convolution followed by tensor layer norm, `.` element-wise, `s` sigmoid:

        i_x, g_x, f_x, o_x = Wx * x;  i_t, g_t, f_t, o_t = Wt * h;  i_s, g_s, f_s, o_s = Ws * m
        c' = s(f_x + f_t + 1) . c + s(i_x + i_t) . tanh(g_x + g_t)
        m' = s(f_x + f_s + 1) . m + s(i_x + i_s) . tanh(g_x + g_s)
        h' = s(o_x + o_t + o_s) . tanh(W1x1 [c', m'])

    Call arguments:
        inputs: x, `[B, H, W, C]`.
        states: h, c, m, each `[B, H, W, filters]`.

    Returns:
        h' and the new states [h', c', m'].

    Source: PredRNN (NeurIPS 2017); 2019 code, `SpatioTemporalLSTMCellv2`.
    """

    state_names = ("h", "c", "m")

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.from_input = self.gates(4, "from_input")
        self.from_hidden = self.gates(4, "from_hidden")
        self.from_memory = self.gates(4, "from_memory")
        self.reduce = self.cell_reduce()

    def build_gates(self, inputs_shape, state_shape):
        self.from_input.build(inputs_shape)
        self.from_hidden.build(state_shape)
        self.from_memory.build(state_shape)
        self.reduce.build((*state_shape[:-1], 2 * self.filters))

    def call(self, inputs, states):
        hidden, cell, memory = states
        i_x, g_x, f_x, o_x = ops.split(self.from_input(inputs), 4, axis=-1)
        i_t, g_t, f_t, o_t = ops.split(self.from_hidden(hidden), 4, axis=-1)
        i_s, g_s, f_s, o_s = ops.split(self.from_memory(memory), 4, axis=-1)

        cell = ops.sigmoid(f_x + f_t + 1) * cell + ops.sigmoid(i_x + i_t) * ops.tanh(g_x + g_t)
        memory = ops.sigmoid(f_x + f_s + 1) * memory + ops.sigmoid(i_x + i_s) * ops.tanh(g_x + g_s)
        merged = self.reduce(ops.concatenate([cell, memory], axis=-1))
        hidden = ops.sigmoid(o_x + o_t + o_s) * ops.tanh(merged)
        return hidden, [hidden, cell, memory]

    def read_out(self, inputs, hidden, cell, memory):
        """`forget`, the gate `s(f_x + f_t + 1)` of c; for looking inside, not used in `call`."""
        _, _, f_x, _ = ops.split(self.from_input(inputs), 4, axis=-1)
        _, _, f_t, _ = ops.split(self.from_hidden(hidden), 4, axis=-1)
        return {"forget": ops.sigmoid(f_x + f_t + 1)}
