"""ConvLSTM with peepholes."""

import keras
from keras import ops

from mim_tf.layers.cell import ConvolutionalCell
from mim_tf.layers.initializers import small_uniform


@keras.saving.register_keras_serializable("mim_tf")
class PeepholeConvLSTMCell(ConvolutionalCell):
    """ConvLSTM whose gates also see the cell state; MIM-N and MIM-S are such cells too.

    With `*` a convolution followed by tensor layer norm, `.` element-wise, `s` sigmoid:

        i, g, f, o = Wh * h + Wx * x
        c' = s(f + wf . c + 1) . c + s(i + wi . c) . tanh(g)
        h' = s(o + wo . c') . tanh(c')

    The peepholes wi, wf, wo have one value for every position and channel, so the weights belong
    to one spatial size.

    Call arguments:
        inputs: x, `[B, H, W, C]`.
        states: h, c, each `[B, H, W, filters]`.

    Returns:
        h' and the new states [h', c'].

    Source: equations 2 and 3 of the paper; 2019 code, `ConvLSTMCell`, `MIMN` and
    the MIM-S of `MIMBlock`.
    """

    state_names = ("h", "c")

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.from_hidden = self.gates(4, "from_hidden")
        self.from_input = self.gates(4, "from_input")

    def gate_initializer(self):
        return small_uniform()

    def build_gates(self, inputs_shape, state_shape):
        self.from_hidden.build(state_shape)
        self.from_input.build(inputs_shape)
        height, width = self.grid
        # The weights of i and f are one variable, in that order, as in the released checkpoints.
        self.peephole_if = self.add_weight(
            shape=(height, width, 2 * self.filters),
            initializer="glorot_uniform",
            name="peephole_if",
        )
        self.peephole_o = self.add_weight(
            shape=(height, width, self.filters), initializer="glorot_uniform", name="peephole_o"
        )

    def call(self, inputs, states):
        hidden, cell = states
        i, g, f, o = self._before_sigmoid(inputs, hidden, cell)
        cell = ops.sigmoid(f) * cell + ops.sigmoid(i) * ops.tanh(g)
        hidden = ops.sigmoid(o + self.peephole_o * cell) * ops.tanh(cell)
        return hidden, [hidden, cell]

    def read_out(self, inputs, hidden, cell):
        """Gates `input`, `forget` and `output`; for looking inside, not used in `call`."""
        i, _, f, o = self._before_sigmoid(inputs, hidden, cell)
        _, (_, new_cell) = self(inputs, [hidden, cell])
        gates = {"input": i, "forget": f, "output": o + self.peephole_o * new_cell}
        return {name: ops.sigmoid(gate) for name, gate in gates.items()}

    def _before_sigmoid(self, inputs, hidden, cell):
        """i, g, f and o, with the peepholes of i and f, but not yet that of o."""
        gates = self.from_hidden(hidden) + self.from_input(inputs)
        i, g, f, o = ops.split(gates, 4, axis=-1)
        w_i, w_f = ops.split(ops.convert_to_tensor(self.peephole_if), 2, axis=-1)
        return i + w_i * cell, g, f + w_f * cell + 1, o
