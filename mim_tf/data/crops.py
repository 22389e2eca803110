"""Squares cut out of the frames of windows: more places to learn from, at less cost each."""

import numpy as np

from mim_tf.config import DataConfig
from mim_tf.data.source import Indices, WindowSource, WrappedSource
from mim_tf.data.split import SPLITS
from mim_tf.errors import MimError

CANDIDATES = 8
"""Crops of which the wettest is taken, for `wet_share` of the sequences."""


class Crops(WrappedSource):
    """Squares of the windows of a source, each at a place of its own that does not move.

    Everything is a function of the seed and the index. In training, sequences are endless: window,
    place and, with `turned`, one of eight orientations are drawn. Otherwise each window gives one
    sequence, at a place that is drawn. Rows have no latitude then, and values no climatology.

    Args:
        source: windows, of physical values where a scale follows.
        data: `crop`, `wet_share`, `turned` and `data_seed`.
        split: "train", "valid" or "test".

    Raises `MimError` for a crop that is larger than the frames.
    """

    def __init__(self, source: WindowSource, data: DataConfig, split: str):
        super().__init__(source)
        length, height, width, channels = source.shape
        if data.crop > min(height, width):
            raise MimError(f"crop must be at most {min(height, width)}, got {data.crop}.")
        self.shape = length, data.crop, data.crop, channels
        self._windows, self._is_training = source, split == "train"
        self._data, self._split = data, SPLITS.index(split) if split in SPLITS else len(SPLITS)
        if self._is_training:
            self.size = None
        self.latitude = self.climatology = self.frame_grid = None

    def sequences(self, indices: Indices) -> np.ndarray:
        return np.stack([self._sequence(int(index)) for index in indices])

    def groups(self, indices: Indices) -> np.ndarray:
        return np.asarray(indices) if self._is_training else super().groups(indices)

    def describe(self) -> dict:
        return super().describe() | {"sequences": self.size, "shape": list(self.shape)}

    def _sequence(self, index):
        random = np.random.default_rng([self._data.data_seed, self._split, index])
        is_wet = random.random() < self._data.wet_share
        drawn = [self._draw(random, index) for _ in range(CANDIDATES if is_wet else 1)]
        window, place = max(drawn, key=self._wetness) if is_wet else drawn[0]
        recording, positions = self._windows.window(window)
        frames = recording.read(positions)[:, place[0], place[1]]
        if self._data.turned and self._is_training:
            frames = np.rot90(frames, random.integers(4), axes=(1, 2))
            frames = frames[:, ::-1] if random.random() < 0.5 else frames
        return frames

    def _draw(self, random, index):
        _, height, width, _ = self._windows.shape
        window = int(random.integers(self._windows.size)) if self._is_training else index
        corner = (random.integers(side - self._data.crop + 1) for side in (height, width))
        return window, tuple(slice(start, start + self._data.crop) for start in corner)

    def _wetness(self, crop):
        """Return the mean of the middle frame; one frame is read much faster than all."""
        window, place = crop
        recording, positions = self._windows.window(window)
        values = recording.read(positions[len(positions) // 2][None])[0, place[0], place[1]]
        known = values[~np.isnan(values)]
        return known.mean() if known.size else -np.inf
