"""Frames to patches and back."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("mim_tf")
class SpaceToDepth(keras.layers.Layer):
    """Cuts frames `[B, H, W, C]` into patches `[B, H/p, W/p, p*p*C]`.

    The new channels run over patch row, then patch column, then channel. Source: 2019 code,
    `reshape_patch`.
    """

    def __init__(self, patch_size, **kwargs):
        super().__init__(**kwargs)
        self.patch_size = patch_size

    def call(self, frames):
        p = self.patch_size
        height, width, channels = frames.shape[1:]
        cut = ops.reshape(frames, (-1, height // p, p, width // p, p, channels))
        return ops.reshape(
            ops.transpose(cut, (0, 1, 3, 2, 4, 5)), (-1, height // p, width // p, p * p * channels)
        )

    def get_config(self):
        return {**super().get_config(), "patch_size": self.patch_size}


@keras.saving.register_keras_serializable("mim_tf")
class DepthToSpace(SpaceToDepth):
    """The inverse of `SpaceToDepth`: patches `[B, h, w, p*p*C]` to frames `[B, h*p, w*p, C]`."""

    def call(self, patches):
        p = self.patch_size
        height, width, depth = patches.shape[1:]
        cut = ops.reshape(patches, (-1, height, width, p, p, depth // p**2))
        return ops.reshape(
            ops.transpose(cut, (0, 1, 3, 2, 4, 5)), (-1, height * p, width * p, depth // p**2)
        )
