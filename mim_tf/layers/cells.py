"""The recurrent cells, except those of MIM: ST-LSTM, Causal LSTM, ConvLSTM and the highway.

All derive from `ConvolutionalCell`, which holds their settings, states and shapes. The gates of a
cell that see the same input are one convolution, whose output is split.
"""

from collections.abc import Callable

import keras
from keras import ops

from mim_tf.errors import MimError
from mim_tf.layers.parts import ChannelGlorotUniform, GateConvolution, small_uniform


class ConvolutionalCell(keras.layers.Layer):
    """Base class of the cells: `(inputs, states) -> (new states[0], new states)`, stateless.

    A cell with one input works in `keras.layers.RNN`. A functional model cannot hold that layer,
    because Keras expects the states there to be vectors: use a layer or model of your own.

    Args:
        filters: channels n of every state.
        kernel_size: side of the square kernels.
        layer_norm: whether tensor layer norm follows the gates' convolutions, see
            `GateConvolution`.
        precision: precision of the convolutions, see `GateConvolution`.
        peephole: weights of peepholes, where a cell has them: at each "position" and channel, or
            one for each "channel".
    """

    state_names: tuple[str, ...] = ()
    """Names of the states, in order; the first state is also the output."""

    gate_initializer: Callable[[], keras.initializers.Initializer] = ChannelGlorotUniform
    """Maker of the initializer of the gates' kernels."""

    def __init__(
        self,
        filters,
        kernel_size=5,
        layer_norm=True,
        precision="float32",
        peephole="position",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.layer_norm = layer_norm
        self.precision = precision
        self.peephole = peephole

    @property
    def state_size(self) -> list[int]:
        """Return the channels of each state."""
        return [self.filters] * len(self.state_names)

    @property
    def output_size(self) -> int:
        """Return the channels of the output."""
        return self.filters

    def get_initial_state(self, batch_size: int) -> list:
        """Return zeros `[batch_size, H, W, filters]` for each state; needs a built cell."""
        if not self.built:
            raise MimError(
                f"Expected a built cell, got the new cell {self.name}, whose states have no size "
                "yet. Call it first, or build it with the shape of its inputs."
            )
        shape = (batch_size, *self.grid, self.filters)
        return [ops.zeros(shape, self.compute_dtype) for _ in self.state_names]

    def build(self, inputs_shape, states_shape=None):
        below = inputs_shape[0] if isinstance(inputs_shape[0], (list, tuple)) else inputs_shape
        self.grid = tuple(below[1:3])
        self.build_gates(inputs_shape, (*below[:-1], self.filters))

    def build_gates(self, inputs_shape, state_shape):
        """Make the weights for states of `state_shape`."""
        raise NotImplementedError

    def gates(self, count, name):
        """Return a convolution that computes `count` gates at once."""
        return GateConvolution(
            count * self.filters,
            self.kernel_size,
            self.layer_norm,
            self.gate_initializer(),
            self.precision,
            name=name,
        )

    def cell_reduce(self):
        """Return the 1x1 convolution without norm that merges c' and m'."""
        return GateConvolution(
            self.filters,
            1,
            layer_norm=False,
            kernel_initializer=ChannelGlorotUniform(),
            precision=self.precision,
            name="cell_reduce",
        )

    def compute_output_shape(self, inputs_shape, states_shape):
        # Without this method Keras would trace `call` once more to find the shape.
        return states_shape[0], states_shape

    @property
    def settings(self) -> dict:
        """Return the arguments of the cell."""
        names = "filters", "kernel_size", "layer_norm", "precision", "peephole"
        return {name: getattr(self, name) for name in names}

    def get_config(self):
        return super().get_config() | self.settings


@keras.saving.register_keras_serializable("mim_tf")
class STLSTMCell(ConvolutionalCell):
    """ST-LSTM: a cell state c through time and a spatial memory m through the stack.

    With `*` a convolution followed by tensor layer norm, `.` element-wise, `s` sigmoid:

        i_x, g_x, f_x, o_x = Wx * x;  i_t, g_t, f_t, o_t = Wt * h;  i_s, g_s, f_s, o_s = Ws * m
        c' = s(f_x + f_t + 1) . c + s(i_x + i_t) . tanh(g_x + g_t)
        m' = s(f_x + f_s + 1) . m + s(i_x + i_s) . tanh(g_x + g_s)
        h' = s(o_x + o_t + o_s) . tanh(W1x1 [c', m'])

    Inputs: x, `[B, H, W, C]`. States: h, c, m, each `[B, H, W, filters]`. Source: PredRNN (NeurIPS
    2017); 2019 code, `SpatioTemporalLSTMCellv2`.
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
        """Return the gate `forget`, `s(f_x + f_t + 1)`, for `mim analyze`."""
        _, _, f_x, _ = ops.split(self.from_input(inputs), 4, axis=-1)
        _, _, f_t, _ = ops.split(self.from_hidden(hidden), 4, axis=-1)
        return {"forget": ops.sigmoid(f_x + f_t + 1)}


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

    Inputs: x, `[B, H, W, C]`. States: h, c, m, each `[B, H, W, filters]`. Source: PredRNN++ (ICML
    2018); 2019 code, `CausalLSTMCell`.
    """

    state_names: tuple[str, ...] = ("h", "c", "m")
    input_gates = 7
    hidden_gates = 4
    gate_initializer = staticmethod(small_uniform)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.from_input = self.gates(self.input_gates, "from_input")
        self.from_hidden = self.gates(self.hidden_gates, "from_hidden")
        self.from_memory = self.gates(3, "from_memory")
        self.from_cell = self.gates(4, "from_cell")
        self.from_new_memory = self.gates(1, "from_new_memory")
        self.reduce = self.cell_reduce()

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
        """Return h' and m', from c', m, the input's gates i', g', f', and `output` = o_x + o_h."""
        i_x, g_x, f_x = from_input
        i_m, f_m, m_m = ops.split(self.from_memory(memory), 3, axis=-1)
        i_c, g_c, f_c, o_c = ops.split(self.from_cell(cell), 4, axis=-1)

        kept = ops.sigmoid(f_c + f_x + f_m + 1) * ops.tanh(m_m)
        memory = kept + ops.sigmoid(i_c + i_x + i_m) * ops.tanh(g_c + g_x)
        merged = self.reduce(ops.concatenate([cell, memory], axis=-1))
        hidden = ops.tanh(output + o_c + self.from_new_memory(memory)) * ops.tanh(merged)
        return hidden, memory

    def read_out(self, inputs, hidden, cell, memory):
        """Return the gate `forget`, `s(f_x + f_h + 1)`, for `mim analyze`."""
        f_x = ops.split(self.from_input(inputs), 7, axis=-1)[2]
        f_h = ops.split(self.from_hidden(hidden), 4, axis=-1)[2]
        return {"forget": ops.sigmoid(f_x + f_h + 1)}


@keras.saving.register_keras_serializable("mim_tf")
class PeepholeConvLSTMCell(ConvolutionalCell):
    """ConvLSTM whose gates also see the cell state; the base class of MIM-N and MIM-S.

    With `*` a convolution followed by tensor layer norm, `.` element-wise, `s` sigmoid:

        i, g, f, o = Wh * h + Wx * x
        c' = s(f + wf . c + 1) . c + s(i + wi . c) . tanh(g)
        h' = s(o + wo . c') . tanh(c')

    The peepholes wi, wf, wo have one value per position and channel, so the weights fit one spatial
    size only; or, with `peephole="channel"`, one per channel.

    Inputs: x, `[B, H, W, C]`. States: h, c, each `[B, H, W, filters]`. Source: equations 2 and 3 of
    the paper; 2019 code, `ConvLSTMCell`, `MIMN` and the MIM-S of `MIMBlock`.
    """

    state_names = ("h", "c")
    gate_initializer = staticmethod(small_uniform)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.from_hidden = self.gates(4, "from_hidden")
        self.from_input = self.gates(4, "from_input")

    def build_gates(self, inputs_shape, state_shape):
        self.from_hidden.build(state_shape)
        self.from_input.build(inputs_shape)
        positions = self.grid if self.peephole == "position" else ()
        # The weights of i and f are one variable, in that order, as in the released checkpoints.
        self.peephole_if = self.add_weight(
            shape=(*positions, 2 * self.filters),
            initializer="glorot_uniform",
            name="peephole_if",
        )
        self.peephole_o = self.add_weight(
            shape=(*positions, self.filters), initializer="glorot_uniform", name="peephole_o"
        )

    def call(self, inputs, states):
        hidden, cell = states
        i, g, f, o = self._before_sigmoid(inputs, hidden, cell)
        cell = ops.sigmoid(f) * cell + ops.sigmoid(i) * ops.tanh(g)
        hidden = ops.sigmoid(o + self.peephole_o * cell) * ops.tanh(cell)
        return hidden, [hidden, cell]

    def read_out(self, inputs, hidden, cell):
        """Return the gates `input`, `forget` and `output`, for `mim analyze`."""
        i, _, f, o = self._before_sigmoid(inputs, hidden, cell)
        _, (_, new_cell) = self(inputs, [hidden, cell])
        gates = {"input": i, "forget": f, "output": o + self.peephole_o * new_cell}
        return {name: ops.sigmoid(gate) for name, gate in gates.items()}

    def _before_sigmoid(self, inputs, hidden, cell):
        """Return i, g, f and o; the peephole of o needs the new cell state and is not yet added."""
        gates = self.from_hidden(hidden) + self.from_input(inputs)
        i, g, f, o = ops.split(gates, 4, axis=-1)
        w_i, w_f = ops.split(ops.convert_to_tensor(self.peephole_if), 2, axis=-1)
        return i + w_i * cell, g, f + w_f * cell + 1, o


@keras.saving.register_keras_serializable("mim_tf")
class GradientHighway(ConvolutionalCell):
    """GHU: a short path for gradients through time, between two layers of a stack.

    With `*` a convolution followed by tensor layer norm, `.` element-wise, `s` sigmoid:

        p, u = Wz * z + Wx * x
        z' = s(u) . tanh(p) + (1 - s(u)) . z

    Inputs: x, `[B, H, W, C]`. States: z, `[B, H, W, filters]`, in a list. Source: PredRNN++ (ICML
    2018); 2019 code, `GHU`.
    """

    state_names = ("z",)
    gate_initializer = staticmethod(small_uniform)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.from_hidden = self.gates(2, "from_hidden")
        self.from_input = self.gates(2, "from_input")

    def build_gates(self, inputs_shape, state_shape):
        self.from_hidden.build(state_shape)
        self.from_input.build(inputs_shape)

    def call(self, inputs, states):
        (highway,) = states
        p, u = ops.split(self.from_hidden(highway) + self.from_input(inputs), 2, axis=-1)
        switch = ops.sigmoid(u)
        highway = switch * ops.tanh(p) + (1 - switch) * highway
        return highway, [highway]
