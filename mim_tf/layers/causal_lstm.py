"""Causal LSTM."""

import keras
from keras import ops

from mim_tf.layers.cell import ConvolutionalCell
from mim_tf.layers.initializers import small_uniform


@keras.saving.register_keras_serializable("mim_tf")
class CausalLSTMCell(ConvolutionalCell):
    """Causal LSTM: the spatial memory m is updated from the new cell state c', in cascade.

    With `*` a convolution followed by tensor layer norm, `.` element-wise, `s` sigmoid:

        i_x, g_x, f_x, o_x, i'_x, g'_x, f'_x = Wx * x
        i_h, g_h, f_h, o_h = Wh * h;  i_m, f_m, m_m = Wm * m
        c' = s(f_x + f_h + 1) . c + s(i_x + i_h) . tanh(g_x + g_h)
        i_c, g_c, f_c, o_c = Wc * c'
        m' = s(f_c + f'_x + f_m + 1) . tanh(m_m) + s(i_c + i'_x + i_m) . tanh(g_c + g'_x)
        h' = tanh(o_x + o_h + o_c + Wo * m') . tanh(W1x1 [c', m'])

    Call arguments:
        inputs: x, `[B, H, W, C]`.
        states: h, c, m, each `[B, H, W, filters]`.

    Returns:
        h' and the new states [h', c', m'].

    Source: PredRNN++ (ICML 2018); 2019 code, `CausalLSTMCell`.
    """

    state_names: tuple[str, ...] = ("h", "c", "m")
    input_gates = 7
    hidden_gates = 4

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.from_input = self.gates(self.input_gates, "from_input")
        self.from_hidden = self.gates(self.hidden_gates, "from_hidden")
        self.from_memory = self.gates(3, "from_memory")
        self.from_cell = self.gates(4, "from_cell")
        self.from_new_memory = self.gates(1, "from_new_memory")
        self.reduce = self.cell_reduce()

    def gate_initializer(self):
        return small_uniform()

    def build_gates(self, inputs_shape, state_shape):
        self.from_input.build(inputs_shape)
        for gates in (self.from_hidden, self.from_memory, self.from_cell, self.from_new_memory):
            gates.build(state_shape)
        self.reduce.build((*state_shape[:-1], 2 * self.filters))

    def call(self, inputs, states):
        hidden, cell, memory = states
        i_x, g_x, f_x, o_x, *second = ops.split(self.from_input(inputs), 7, axis=-1)
        i_h, g_h, f_h, o_h = ops.split(self.from_hidden(hidden), 4, axis=-1)

        cell = ops.sigmoid(f_x + f_h + 1) * cell + ops.sigmoid(i_x + i_h) * ops.tanh(g_x + g_h)
        hidden, memory = self.cascade(cell, memory, second, o_x + o_h)
        return hidden, [hidden, cell, memory]

    def cascade(self, cell, memory, from_input, output):
        """h' and m' from c' and m, the gates i', g', f' of the input, and o_x + o_h."""
        i_x, g_x, f_x = from_input
        i_m, f_m, m_m = ops.split(self.from_memory(memory), 3, axis=-1)
        i_c, g_c, f_c, o_c = ops.split(self.from_cell(cell), 4, axis=-1)

        kept = ops.sigmoid(f_c + f_x + f_m + 1) * ops.tanh(m_m)
        memory = kept + ops.sigmoid(i_c + i_x + i_m) * ops.tanh(g_c + g_x)
        merged = self.reduce(ops.concatenate([cell, memory], axis=-1))
        hidden = ops.tanh(output + o_c + self.from_new_memory(memory)) * ops.tanh(merged)
        return hidden, memory

    def read_out(self, inputs, hidden, cell, memory):
        """`forget`, the gate `s(f_x + f_h + 1)` of c; for looking inside, not used in `call`."""
        f_x = ops.split(self.from_input(inputs), 7, axis=-1)[2]
        f_h = ops.split(self.from_hidden(hidden), 4, axis=-1)[2]
        return {"forget": ops.sigmoid(f_x + f_h + 1)}
