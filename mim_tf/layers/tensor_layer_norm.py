"""Layer norm over a whole feature map."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("mim_tf")
class TensorLayerNorm(keras.layers.Layer):
    """Normalises each sample by mean and variance over (H, W, C), then scales each channel.

    `y = (x - mean) / sqrt(variance + epsilon) * scale + shift`, with one scale and one shift a
    channel. Not Keras' `LayerNormalization`, which normalises over channels alone and scales
    each normalised element. It computes in float32, or in float64 where its inputs are. Source:
    2019 code.

    Args:
        epsilon: added to the variance, inside the root.

    Call arguments:
        inputs: `[B, H, W, C]`; the result has the same shape.
    """

    def __init__(self, epsilon=1e-5, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, inputs_shape):
        channels = inputs_shape[-1:]
        self.scale = self.add_weight(
            shape=channels, initializer="ones", autocast=False, name="scale"
        )
        self.shift = self.add_weight(
            shape=channels, initializer="zeros", autocast=False, name="shift"
        )

    def call(self, inputs):
        # One multiplication and one addition per element, and a variance that needs no centred
        # copy, keep a third less in memory for the gradient than the textbook order.
        axes, dtype = (1, 2, 3), inputs.dtype
        # Squares of half precision numbers overflow, and their sums lose all but two digits.
        inputs = ops.cast(inputs, keras.backend.result_type(dtype, "float32"))
        mean = ops.mean(inputs, axes, keepdims=True)
        variance = ops.mean(ops.square(inputs), axes, keepdims=True) - ops.square(mean)
        # Rounding can take the variance below zero.
        factor = self.scale * ops.rsqrt(ops.relu(variance) + self.epsilon)
        return ops.cast(inputs * factor + (self.shift - mean * factor), dtype)

    def compute_output_shape(self, inputs_shape):
        return inputs_shape

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}
