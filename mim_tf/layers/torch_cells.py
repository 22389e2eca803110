"""The cells of OpenSTL and predrnn-pytorch that differ from those of the 2019 code.

Each follows the equations of their PyTorch code, so that their weights load. `*` is a convolution,
followed by a norm if there is one, `.` element-wise, `s` sigmoid. Their norm has a scale and a
shift for every position and channel (`layer_norm="positions"`).
"""

import keras
from keras import ops

from mim_tf.layers.cells import CausalLSTMCell, ConvolutionalCell


@keras.saving.register_keras_serializable("mim_tf")
class TorchSTLSTMCell(ConvolutionalCell):
    """ST-LSTM whose two memories have gates of their own, and whose output gate sees both.

        i_x, f_x, g_x, i'_x, f'_x, g'_x, o_x = Wx * x
        i_h, f_h, g_h, o_h = Wh * h;  i'_m, f'_m, g'_m = Wm * m
        c' = s(f_x + f_h + 1) . c + s(i_x + i_h) . tanh(g_x + g_h)
        m' = s(f'_x + f'_m + 1) . m + s(i'_x + i'_m) . tanh(g'_x + g'_m)
        h' = s(o_x + o_h + Wo * [c', m']) . tanh(W1x1 [c', m'])

    Inputs: x, `[B, H, W, C]`. States: h, c, m, each `[B, H, W, filters]`. Source: PredRNN (NeurIPS
    2017), as in predrnn-pytorch and OpenSTL, there `SpatioTemporalLSTMCell`.
    """

    state_names = ("h", "c", "m")

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.from_input = self.gates(7, "from_input")
        self.from_hidden = self.gates(4, "from_hidden")
        self.from_memory = self.gates(3, "from_memory")
        self.from_memories = self.gates(1, "from_memories")
        self.reduce = self.cell_reduce()

    def build_gates(self, inputs_shape, state_shape):
        self.from_input.build(inputs_shape)
        self.from_hidden.build(state_shape)
        self.from_memory.build(state_shape)
        for both in (self.from_memories, self.reduce):
            both.build((*state_shape[:-1], 2 * self.filters))

    def call(self, inputs, states):
        hidden, cell, memory = states
        i_x, f_x, g_x, *second, o_x = ops.split(self.from_input(inputs), 7, axis=-1)
        i_h, f_h, g_h, o_h = ops.split(self.from_hidden(hidden), 4, axis=-1)
        second = ops.concatenate(second, axis=-1) + self.from_memory(memory)
        i_m, f_m, g_m = ops.split(second, 3, axis=-1)

        cell = ops.sigmoid(f_x + f_h + 1) * cell + ops.sigmoid(i_x + i_h) * ops.tanh(g_x + g_h)
        memory = ops.sigmoid(f_m + 1) * memory + ops.sigmoid(i_m) * ops.tanh(g_m)
        both = ops.concatenate([cell, memory], axis=-1)
        output = ops.sigmoid(o_x + o_h + self.from_memories(both))
        hidden = output * ops.tanh(self.reduce(both))
        return hidden, [hidden, cell, memory]

    def read_out(self, inputs, hidden, cell, memory):
        """Return the gate `forget`, `s(f_x + f_h + 1)`, for `mim analyze`."""
        f_x = ops.split(self.from_input(inputs), 7, axis=-1)[1]
        f_h = ops.split(self.from_hidden(hidden), 4, axis=-1)[1]
        return {"forget": ops.sigmoid(f_x + f_h + 1)}


class _WithEra(ConvolutionalCell):
    """A cell whose equations OpenSTL changed: `era` is "2023" or "lightning"."""

    def __init__(self, *args, era="2023", **kwargs):
        super().__init__(*args, **kwargs)
        self.era = era

    def get_config(self):
        return {**super().get_config(), "era": self.era}


@keras.saving.register_keras_serializable("mim_tf")
class OpenSTLCausalLSTMCell(_WithEra, CausalLSTMCell):
    """Causal LSTM with three more gates: of m in the weights released in 2023, since then of c.

    Differs from `CausalLSTMCell` in

        i_c, g_c, f_c = Wk * m  (era "2023") or Wk * c  ("lightning")
        c' = s(f_x + f_h + f_c + 1) . c + s(i_x + i_h + i_c) . tanh(g_x + g_h + g_c)

    Source: OpenSTL, `CausalLSTMCell` before and after December 2023.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.from_kept = self.gates(3, "from_kept")

    def build_gates(self, inputs_shape, state_shape):
        super().build_gates(inputs_shape, state_shape)
        self.from_kept.build(state_shape)

    def call(self, inputs, states):
        hidden, cell, memory = states
        seen = memory if self.era == "2023" else cell
        i_x, g_x, f_x, o_x, *second = ops.split(self.from_input(inputs), 7, axis=-1)
        i_h, g_h, f_h, o_h = ops.split(self.from_hidden(hidden), 4, axis=-1)
        i_c, g_c, f_c = ops.split(self.from_kept(seen), 3, axis=-1)

        kept = ops.sigmoid(f_x + f_h + f_c + 1) * cell
        cell = kept + ops.sigmoid(i_x + i_h + i_c) * ops.tanh(g_x + g_h + g_c)
        hidden, memory = self.cascade(cell, memory, second, o_x + o_h)
        return hidden, [hidden, cell, memory]

    def read_out(self, inputs, hidden, cell, memory):
        """Return the gate `forget`, `s(f_x + f_h + f_c + 1)`, for `mim analyze`."""
        seen = memory if self.era == "2023" else cell
        f_x = ops.split(self.from_input(inputs), 7, axis=-1)[2]
        f_h = ops.split(self.from_hidden(hidden), 4, axis=-1)[2]
        f_c = ops.split(self.from_kept(seen), 3, axis=-1)[2]
        return {"forget": ops.sigmoid(f_x + f_h + f_c + 1)}


@keras.saving.register_keras_serializable("mim_tf")
class OpenSTLConvLSTMCell(_WithEra):
    """ConvLSTM without peepholes; in the weights released in 2023 c has no effect on h.

        i, f, g, o = Wx * x + Wh * h
        c' = s(f) . c + s(i) . tanh(g)
        h' = s(o) . tanh(g)  (era "2023") or s(o) . tanh(c')  ("lightning")

    Inputs: x, `[B, H, W, C]`. States: h, c, each `[B, H, W, filters]`. Source: OpenSTL,
    `ConvLSTMCell` before and after December 2023.
    """

    state_names = ("h", "c")

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.from_input = self.gates(4, "from_input")
        self.from_hidden = self.gates(4, "from_hidden")

    def build_gates(self, inputs_shape, state_shape):
        self.from_input.build(inputs_shape)
        self.from_hidden.build(state_shape)

    def call(self, inputs, states):
        hidden, cell = states
        i, f, g, o = ops.split(self.from_input(inputs) + self.from_hidden(hidden), 4, axis=-1)
        cell = ops.sigmoid(f) * cell + ops.sigmoid(i) * ops.tanh(g)
        hidden = ops.sigmoid(o) * ops.tanh(g if self.era == "2023" else cell)
        return hidden, [hidden, cell]

    def read_out(self, inputs, hidden, cell):
        """Return the gates `input`, `forget` and `output`, for `mim analyze`."""
        i, f, _, o = ops.split(self.from_input(inputs) + self.from_hidden(hidden), 4, axis=-1)
        return {"input": ops.sigmoid(i), "forget": ops.sigmoid(f), "output": ops.sigmoid(o)}
