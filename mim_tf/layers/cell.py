"""What all recurrent cells share: their states, their size and its serialization."""

import keras
from keras import ops

from mim_tf.errors import MimError
from mim_tf.layers.gate_convolution import GateConvolution
from mim_tf.layers.initializers import ChannelGlorotUniform


class ConvolutionalCell(keras.layers.Layer):
    """Base of the cells: `(inputs, states) -> (output, new states)`, nothing kept between calls.

    A cell of one input goes into `keras.layers.RNN`, which it tells its states as Keras' cells do.
    In a functional model Keras takes the states of all cells for vectors: use it in a layer or
    model of your own there, where shapes come from the computation.

    Args:
        filters: channels n of every state.
        kernel_size: side of the square kernels.
        layer_norm: whether tensor layer norm follows the gates' convolutions.
        precision: of the convolutions, as in `GateConvolution`.
    """

    state_names: tuple[str, ...] = ()
    """What the states are called, in their order; the first is also the output."""

    def __init__(self, filters, kernel_size=5, layer_norm=True, precision="float32", **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.layer_norm = layer_norm
        self.precision = precision

    @property
    def state_size(self) -> list[int]:
        """Channels of each state."""
        return [self.filters] * len(self.state_names)

    @property
    def output_size(self) -> int:
        """Channels of the output."""
        return self.filters

    def get_initial_state(self, batch_size: int) -> list:
        """Zeros `[batch_size, H, W, filters]`, one for each state.

        Raises:
            MimError: before the cell is built, when H and W are not known.
        """
        if not self.built:
            raise MimError(
                f"{self.name} does not know the size of its states yet: expected a cell that was "
                "built, received a new one. Call it, or build it with the shape of its inputs."
            )
        shape = (batch_size, *self.grid, self.filters)
        return [ops.zeros(shape, self.compute_dtype) for _ in self.state_names]

    def build(self, inputs_shape, states_shape=None):
        below = inputs_shape[0] if isinstance(inputs_shape[0], (list, tuple)) else inputs_shape
        self.grid = tuple(below[1:3])
        self.build_gates(inputs_shape, (*below[:-1], self.filters))

    def build_gates(self, inputs_shape, state_shape):
        """Makes the weights, for states that all have `state_shape`."""
        raise NotImplementedError

    def gate_initializer(self):
        """Initial values of the gates' kernels."""
        return ChannelGlorotUniform()

    def gates(self, count, name):
        """A convolution that computes `count` gates at once."""
        return GateConvolution(
            count * self.filters,
            self.kernel_size,
            self.layer_norm,
            self.gate_initializer(),
            self.precision,
            name=name,
        )

    def cell_reduce(self):
        """The 1x1 convolution, without norm, that merges c' and m'."""
        return GateConvolution(
            self.filters,
            1,
            layer_norm=False,
            kernel_initializer=ChannelGlorotUniform(),
            precision=self.precision,
            name="cell_reduce",
        )

    def compute_output_shape(self, inputs_shape, states_shape):
        # Saves Keras from tracing `call` once more to find out.
        return states_shape[0], states_shape

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "layer_norm": self.layer_norm,
            "precision": self.precision,
        }
