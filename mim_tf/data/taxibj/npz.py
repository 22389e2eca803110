"""TaxiBJ in its other layout, `dataset.npz`."""

import numpy as np

from mim_tf.data.files.arrays import CHUNK_VALUES, check_length
from mim_tf.data.files.npz_member import member_keys, read_member
from mim_tf.data.source import SequenceSource
from mim_tf.data.taxibj.h5 import CHANNELS
from mim_tf.errors import MimError


class TaxiBJNpzSource(SequenceSource):
    """Sequences of `dataset.npz`: the frames of X, then those of Y, from [-1, 1] to [0, 1].

    Frames come in the order the file has, and stay in it where it is not compressed. It has no
    dates, so windows, order and split are as whoever wrote it made them; and no counts, so frames
    have no physical values.

    Args:
        path: the file; arrays `X_train` and `Y_train`, or `X_test` and `Y_test`, floats
            `[N, frames, 2, H, W]`, with 4 frames each in the file in circulation.
        split: "train", or "valid" or "test", which are the same.
        total_length: frames of a sequence; longer ones are cut to their first frames.

    Raises `MimError` for a file that cannot be read, arrays that do not fit each other, too few
    frames, and the first sequence with a value that is NaN or outside [-1, 1].
    """

    def __init__(self, path, split, total_length):
        self.path = str(path)
        suffix = "train" if split == "train" else "test"
        self._keys = [f"X_{suffix}", f"Y_{suffix}"]
        found = member_keys(path)
        if not set(self._keys) <= set(found):
            raise MimError(
                f"{path}: expected the arrays {' and '.join(self._keys)}, found "
                f"{', '.join(found) or 'none'}. Use the dataset.npz of TaxiBJ."
            )
        self._parts = [read_member(path, key, "f", 5) for key in self._keys]
        self._check_shapes()
        lengths = [part.shape[1] for part in self._parts]
        check_length(self.path, sum(lengths), total_length)
        for key, part in zip(self._keys, self._parts, strict=True):
            _check_range(f"{path}, {key}", part)
        self.size, _, _, height, width = self._parts[0].shape
        self.shape = (total_length, height, width, CHANNELS)

    def sequences(self, indices):
        indices = np.asarray(indices, np.int64)
        frames = np.concatenate([part[indices] for part in self._parts], axis=1, dtype=np.float32)
        unit = (frames[:, : self.shape[0]] + 1) / 2
        return np.ascontiguousarray(unit.transpose(0, 1, 3, 4, 2))

    def describe(self):
        return {
            "source": "TaxiBJ format, .npz",
            "paths": [self.path],
            "arrays": self._keys,
            "sequences": self.size,
            "shape": list(self.shape),
            "scale": None,
            "scale_note": "the file does not carry the lowest and highest count",
        }

    def _check_shapes(self):
        first, second = (part.shape for part in self._parts)
        fit = first[0] == second[0] and first[2:] == second[2:]
        if not fit or first[2] != CHANNELS or 0 in first + second:
            raise MimError(
                f"{self.path}: expected {' and '.join(self._keys)} [N, frames, {CHANNELS}, height, "
                f"width] of the same N, height and width, at least one each, received "
                f"{list(first)} and {list(second)}. Use the whole file."
            )


def _check_range(name, values):
    step = max(1, CHUNK_VALUES // values[0].size)
    for start in range(0, len(values), step):
        chunk = values[start : start + step]
        low, high = chunk.min(axis=(1, 2, 3, 4)), chunk.max(axis=(1, 2, 3, 4))
        # Written so that NaN, which min and max hand on, fails it too.
        fits = (low >= -1) & (high <= 1)
        if not fits.all():
            index = int(np.argmin(fits))
            raise MimError(
                f"{name}: expected values in [-1, 1], received {low[index]} to {high[index]} in "
                f"sequence {start + index}. Scale the counts linearly to [-1, 1]; replace missing "
                "values."
            )
