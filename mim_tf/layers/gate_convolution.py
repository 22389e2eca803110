"""The convolution every gate of every cell is made of."""

import keras
from keras import ops

from mim_tf.layers.tensor_layer_norm import TensorLayerNorm


@keras.saving.register_keras_serializable("mim_tf")
class GateConvolution(keras.layers.Layer):
    """Convolution with bias and "same" padding, then tensor layer norm.

    Args:
        filters: output channels, all gates together.
        kernel_size: side of the square kernel.
        layer_norm: whether the norm follows.
        kernel_initializer: initial kernel; the bias starts at 0.
        precision: float32, which leaves it to the layer's dtype policy, or bfloat16: what the
            convolution multiplies, and its result before the bias, are rounded to that. Weights,
            bias, norm and output are those of the policy all the same.

    Call arguments:
        inputs: `[B, H, W, C]`.

    Returns:
        Pre-activations `[B, H, W, filters]`.
    """

    def __init__(
        self,
        filters,
        kernel_size,
        layer_norm=True,
        kernel_initializer="glorot_uniform",
        precision="float32",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.layer_norm = layer_norm
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.precision = precision
        self.norm = TensorLayerNorm(name="norm") if layer_norm else None

    def build(self, inputs_shape):
        self.kernel = self.add_weight(
            shape=(self.kernel_size, self.kernel_size, inputs_shape[-1], self.filters),
            initializer=self.kernel_initializer,
            name="kernel",
        )
        self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")
        if self.norm:
            self.norm.build(self.compute_output_shape(inputs_shape))

    def call(self, inputs):
        # Not a keras.layers.Conv2D, whose reshaped bias and own call make the graph a tenth
        # larger and slower to trace.
        dtype = "bfloat16" if self.precision == "bfloat16" else self.compute_dtype
        inputs, kernel = (ops.cast(each, dtype) for each in (inputs, self.kernel))
        gates = ops.cast(ops.conv(inputs, kernel, padding="same"), self.compute_dtype) + self.bias
        return self.norm(gates) if self.norm else gates

    def compute_output_shape(self, inputs_shape):
        return (*inputs_shape[:-1], self.filters)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "layer_norm": self.layer_norm,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "precision": self.precision,
        }
