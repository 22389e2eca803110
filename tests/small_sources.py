"""Recordings and sources made of arrays."""

import numpy as np

from mim_tf.data.files.arrays import ArraySource
from mim_tf.data.source import Recording


class Frames(Recording):
    def __init__(self, frames, name="recording", holes=(), step=0.0):
        self.frames, self.length = frames, len(frames)
        self.name, self.holes, self.step = name, holes, step

    def read(self, positions):
        return self.frames[np.asarray(positions)]


class Gappy(ArraySource):
    """Frames in which zeros are missing."""

    has_missing = True

    def sequences(self, indices):
        frames = super().sequences(indices)
        return np.where(frames == 0, np.float32(np.nan), frames)
