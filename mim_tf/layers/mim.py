"""Memory In Memory: the two memories MIM-N and MIM-S, and the two blocks that contain MIM-S.

MIM-N sees how the layer below changes from frame to frame. Its output feeds MIM-S, which replaces
the forget gate of a block. A network has one MIM-N and one block in each layer from the second.
"""

import keras
from keras import ops

from mim_tf.layers.cells import CausalLSTMCell, ConvolutionalCell, PeepholeConvLSTMCell
from mim_tf.layers.parts import ChannelGlorotUniform


@keras.saving.register_keras_serializable("mim_tf")
class MIMN(PeepholeConvLSTMCell):
    """MIM-N, the non-stationary memory: a peephole ConvLSTM whose input is a difference in time.

    Inputs: d, `[B, H, W, filters]`. In layer 2: `H1(t) - H1(t-1)`. In higher layers the 2019 code
    gives the D' of the MIM-N one layer below, the paper's equation 2 a difference of hidden states
    as in layer 2; `mim_tf` follows the code unless `differencing` says otherwise. States: D, N.
    Source: equation 2 of the paper; 2019 code, `MIMN`.
    """

    state_names = ("D", "N")


@keras.saving.register_keras_serializable("mim_tf")
class MIMS(PeepholeConvLSTMCell):
    """MIM-S, the stationary memory, which replaces the forget gate of a MIM block.

    A peephole ConvLSTM with the block's cell state as its hidden state and MIM-N's output as input.

    Inputs: D' of MIM-N, `[B, H, W, filters]`. States: C of the block at t-1 (instead of h), S.
    Source: equation 3 of the paper; 2019 code, `MIMBlock.MIMS`.
    """

    state_names = ("T", "S")
    gate_initializer = ChannelGlorotUniform

    def memory_and_gates(self, difference, cell, stationary):
        """Return `T` and the gates `mim_s_input`, `mim_s_forget` and `mim_s_output`."""
        kept, _ = self(difference, [cell, stationary])
        gates = self.read_out(difference, cell, stationary)
        return {"T": kept} | {f"mim_s_{name}": gate for name, gate in gates.items()}


@keras.saving.register_keras_serializable("mim_tf")
class MIMBlock(ConvolutionalCell):
    """ST-LSTM with MIM-S instead of the temporal forget gate.

    With `*` a convolution followed by tensor layer norm, `.` element-wise, `s` sigmoid:

        i_x, g_x, f_x, o_x = Wx * x;  i_t, g_t, o_t = Wt * h;  i_s, g_s, f_s, o_s = Ws * m
        T, S' = MIM-S(D', c, S)
        c' = T + s(i_x + i_t) . tanh(g_x + g_t)
        m' = s(f_x + f_s + 1) . m + s(i_x + i_s) . tanh(g_x + g_s)
        h' = s(o_x + o_t + o_s) . tanh(W1x1 [c', m'])

    Inputs: x (h' of the layer below) and D' (of this layer's MIM-N), each `[B, H, W, C]`. States:
    h, c, S, m, each `[B, H, W, filters]`. Source: equation 1 of the paper; 2019 code, `MIMBlock`.
    """

    state_names = ("h", "c", "s", "m")

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.from_input = self.gates(4, "from_input")
        self.from_hidden = self.gates(3, "from_hidden")
        self.from_memory = self.gates(4, "from_memory")
        self.mim_s = MIMS(**self.settings, name="mim_s")
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
        """Return `T` of MIM-S and its gates, for `mim analyze`."""
        return self.mim_s.memory_and_gates(difference, cell, stationary)


@keras.saving.register_keras_serializable("mim_tf")
class MIMCausalBlock(CausalLSTMCell):
    """Causal LSTM with MIM-S instead of the forget gate; the block of MIM*.

    Differs from `CausalLSTMCell` in

        i_x, g_x, o_x, i'_x, g'_x, f'_x = Wx * x;  i_h, g_h, o_h = Wh * h
        T, S' = MIM-S(D', c, S)
        c' = T + s(i_x + i_h) . tanh(g_x + g_h)

    Inputs: x (output of the layer below) and D' (of this layer's MIM-N), each `[B, H, W, C]`.
    States: h, c, S, m, each `[B, H, W, filters]`. Source: 2019 code, `MIMCausalLSTMCell`.
    """

    state_names = ("h", "c", "s", "m")
    input_gates = 6
    hidden_gates = 3
    gate_initializer = ChannelGlorotUniform

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.mim_s = MIMS(**self.settings, name="mim_s")

    def build_gates(self, inputs_shape, state_shape):
        below, difference = inputs_shape
        super().build_gates(below, state_shape)
        self.mim_s.build(difference)

    def call(self, inputs, states):
        below, difference = inputs
        hidden, cell, stationary, memory = states
        i_x, g_x, o_x, *second = ops.split(self.from_input(below), 6, axis=-1)
        i_h, g_h, o_h = ops.split(self.from_hidden(hidden), 3, axis=-1)

        kept, (_, stationary) = self.mim_s(difference, [cell, stationary])
        cell = kept + ops.sigmoid(i_x + i_h) * ops.tanh(g_x + g_h)
        hidden, memory = self.cascade(cell, memory, second, o_x + o_h)
        return hidden, [hidden, cell, stationary, memory]

    def read_out(self, below, difference, hidden, cell, stationary, memory):
        """Return `T` of MIM-S and its gates, for `mim analyze`."""
        return self.mim_s.memory_and_gates(difference, cell, stationary)
