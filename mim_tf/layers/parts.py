"""The parts of the cells: tensor layer norm, the convolution of gates, initializers and patches."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("mim_tf")
class TensorLayerNorm(keras.layers.Layer):
    """Normalisation of each sample by mean and variance over (H, W, C), then a scale per channel.

    `y = (x - mean) / sqrt(variance + epsilon) * scale + shift`, with one scale and one shift per
    channel. Keras' `LayerNormalization` normalises over channels alone. The computation is in
    float32, or in float64 for float64 inputs. Source: 2019 code.

    Args:
        epsilon: added to the variance, inside the root.
        by_position: whether scale and shift have a value at each position, too, as in PyTorch.

    Call arguments:
        inputs: `[B, H, W, C]`; the result has the same shape.
    """

    def __init__(self, epsilon=1e-5, by_position=False, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon
        self.by_position = by_position

    def build(self, inputs_shape):
        shape = inputs_shape[1 if self.by_position else -1 :]
        self.scale = self.add_weight(shape=shape, initializer="ones", autocast=False, name="scale")
        self.shift = self.add_weight(shape=shape, initializer="zeros", autocast=False, name="shift")

    def call(self, inputs):
        # The textbook order keeps a centred copy of the inputs for the gradient. This order does
        # not: a third less memory, with one multiplication and one addition per element.
        axes, dtype = (1, 2, 3), inputs.dtype
        # In half precision squares overflow, and their sums keep only two digits.
        inputs = ops.cast(inputs, keras.backend.result_type(dtype, "float32"))
        mean = ops.mean(inputs, axes, keepdims=True)
        variance = ops.mean(ops.square(inputs), axes, keepdims=True) - ops.square(mean)
        # Rounding can make the variance negative.
        factor = self.scale * ops.rsqrt(ops.relu(variance) + self.epsilon)
        return ops.cast(inputs * factor + (self.shift - mean * factor), dtype)

    def compute_output_shape(self, inputs_shape):
        return inputs_shape

    def get_config(self):
        settings = {"epsilon": self.epsilon, "by_position": self.by_position}
        return {**super().get_config(), **settings}


@keras.saving.register_keras_serializable("mim_tf")
class GateConvolution(keras.layers.Layer):
    """Convolution with bias and "same" padding, then tensor layer norm.

    Args:
        filters: output channels, all gates together.
        kernel_size: side of the square kernel.
        layer_norm: whether tensor layer norm follows; "positions": its form `by_position`.
        kernel_initializer: initial kernel; the bias starts at 0.
        precision: "float32" follows the layer's dtype policy. "bfloat16" rounds the factors of the
            convolution and its result; weights, bias, norm and output keep the policy's dtype.

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
        by_position = layer_norm == "positions"
        self.norm = TensorLayerNorm(by_position=by_position, name="norm") if layer_norm else None

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
        # keras.layers.Conv2D would make the graph a tenth larger and slower to trace, because it
        # reshapes the bias and has a call of its own.
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


@keras.saving.register_keras_serializable("mim_tf")
class ChannelGlorotUniform(keras.initializers.Initializer):
    """Uniform values within `sqrt(6 / (channels in + channels out))`.

    Keras' `GlorotUniform` also counts the kernel's area. Source: 2019 code.
    """

    def __init__(self, seed=None):
        self.seed = seed
        self.random = keras.random.SeedGenerator(seed)

    def __call__(self, shape, dtype=None):
        bound = (6 / (shape[-2] + shape[-1])) ** 0.5
        return keras.random.uniform(shape, -bound, bound, dtype=dtype, seed=self.random)

    def get_config(self):
        return {"seed": self.seed}


def small_uniform():
    """Return uniform values within 0.001, for ConvLSTM, MIM-N, Causal LSTM and GHU (2019 code)."""
    return keras.initializers.RandomUniform(-0.001, 0.001)


@keras.saving.register_keras_serializable("mim_tf")
class SpaceToDepth(keras.layers.Layer):
    """Division of frames `[B, H, W, C]` into patches `[B, H/p, W/p, p*p*C]`.

    Frames that are no whole number of patches are continued by reflection, down and right.

    The new channels run over patch row, then patch column, then channel. Source: 2019 code,
    `reshape_patch`.
    """

    def __init__(self, patch_size, **kwargs):
        super().__init__(**kwargs)
        self.patch_size = patch_size

    def call(self, frames):
        p = self.patch_size
        height, width, channels = frames.shape[1:]
        if height % p or width % p:
            sides = (0, 0), (0, -height % p), (0, -width % p), (0, 0)
            frames = ops.pad(frames, sides, mode="reflect")
            height, width = frames.shape[1:3]
        cut = ops.reshape(frames, (-1, height // p, p, width // p, p, channels))
        return ops.reshape(
            ops.transpose(cut, (0, 1, 3, 2, 4, 5)), (-1, height // p, width // p, p * p * channels)
        )

    def get_config(self):
        return {**super().get_config(), "patch_size": self.patch_size}


@keras.saving.register_keras_serializable("mim_tf")
class DepthToSpace(SpaceToDepth):
    """The inverse of `SpaceToDepth`: patches `[B, h, w, p*p*C]` to frames `[B, h*p, w*p, C]`.

    With `frame_size` (H, W), what lies below and right of it is cut off.
    """

    def __init__(self, patch_size, frame_size=None, **kwargs):
        super().__init__(patch_size, **kwargs)
        self.frame_size = frame_size

    def call(self, patches):
        p = self.patch_size
        height, width, depth = patches.shape[1:]
        cut = ops.reshape(patches, (-1, height, width, p, p, depth // p**2))
        frames = ops.reshape(
            ops.transpose(cut, (0, 1, 3, 2, 4, 5)), (-1, height * p, width * p, depth // p**2)
        )
        rows, columns = self.frame_size or (None, None)
        return frames[:, :rows, :columns]

    def get_config(self):
        return {**super().get_config(), "frame_size": self.frame_size}
