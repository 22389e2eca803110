"""The stationary module of a MIM block."""

import keras

from mim_tf.layers.initializers import ChannelGlorotUniform
from mim_tf.layers.peephole_conv_lstm import PeepholeConvLSTMCell


@keras.saving.register_keras_serializable("mim_tf")
class MIMS(PeepholeConvLSTMCell):
    """MIM-S: what replaces the forget gate of a MIM block, from its cell state and MIM-N's output.

    A peephole ConvLSTM whose hidden state at each step is the block's own cell state.

    Call arguments:
        inputs: D' of MIM-N, `[B, H, W, filters]`.
        states: C of the block at t-1 (in the place of h), S.

    Returns:
        T and the new states [T, S'].

    Source: equation 3 of the paper; 2019 code, `MIMBlock.MIMS`.
    """

    state_names = ("T", "S")

    def gate_initializer(self):
        return ChannelGlorotUniform()

    def memory_and_gates(self, difference, cell, stationary):
        """`T`, and `mim_s_input`, `mim_s_forget` and `mim_s_output`."""
        kept, _ = self(difference, [cell, stationary])
        gates = self.read_out(difference, cell, stationary)
        return {"T": kept} | {f"mim_s_{name}": gate for name, gate in gates.items()}
