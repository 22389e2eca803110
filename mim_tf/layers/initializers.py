"""Initial values of the 2019 code that Keras has no name for."""

import keras


@keras.saving.register_keras_serializable("mim_tf")
class ChannelGlorotUniform(keras.initializers.Initializer):
    """Uniform within `sqrt(6 / (channels in + channels out))`.

    Unlike Keras' `GlorotUniform`, the bound does not count the kernel's area. Source: 2019 code.
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
    """Uniform within 0.001, for ConvLSTM, MIM-N, Causal LSTM and GHU. Source: 2019 code."""
    return keras.initializers.RandomUniform(-0.001, 0.001)
