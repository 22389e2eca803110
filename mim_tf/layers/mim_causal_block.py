"""Memory In Memory block made of a Causal LSTM."""

import keras
from keras import ops

from mim_tf.layers.causal_lstm import CausalLSTMCell
from mim_tf.layers.initializers import ChannelGlorotUniform
from mim_tf.layers.mim_s import MIMS


@keras.saving.register_keras_serializable("mim_tf")
class MIMCausalBlock(CausalLSTMCell):
    """A Causal LSTM whose forget gate is a memory of its own, MIM-S; the block of MIM*.

    As `CausalLSTMCell`, but

        i_x, g_x, o_x, i'_x, g'_x, f'_x = Wx * x;  i_h, g_h, o_h = Wh * h
        T, S' = MIM-S(D', c, S)
        c' = T + s(i_x + i_h) . tanh(g_x + g_h)

    Call arguments:
        inputs: x (what the layer below gives) and D' (of this layer's MIM-N), each `[B, H, W, C]`.
        states: h, c, S, m, each `[B, H, W, filters]`.

    Returns:
        h' and the new states [h', c', S', m'].

    Source: 2019 code, `MIMCausalLSTMCell`.
    """

    state_names = ("h", "c", "s", "m")
    input_gates = 6
    hidden_gates = 3

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.mim_s = MIMS(
            self.filters, self.kernel_size, self.layer_norm, self.precision, name="mim_s"
        )

    def gate_initializer(self):
        return ChannelGlorotUniform()

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
        """`T` of MIM-S and its gates; for looking inside, not used in `call`."""
        return self.mim_s.memory_and_gates(difference, cell, stationary)
