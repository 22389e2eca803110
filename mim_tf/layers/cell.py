"""What all recurrent cells share: their size and its serialization."""

import keras

from mim_tf.layers.gate_convolution import GateConvolution
from mim_tf.layers.initializers import ChannelGlorotUniform


class ConvolutionalCell(keras.layers.Layer):
    """Base of the cells: `(inputs, states) -> (output, new states)`, nothing kept between calls.

    Args:
        filters: channels n of every state.
        kernel_size: side of the square kernels.
        layer_norm: whether tensor layer norm follows the gates' convolutions.
        precision: of the convolutions, as in `GateConvolution`.
    """

    def __init__(self, filters, kernel_size=5, layer_norm=True, precision="float32", **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.layer_norm = layer_norm
        self.precision = precision

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
        # Told, Keras need not trace `call` once more to find out.
        return states_shape[0], states_shape

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "layer_norm": self.layer_norm,
            "precision": self.precision,
        }
