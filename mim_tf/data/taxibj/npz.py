"""TaxiBJ in its other layout, `dataset.npz`."""

from pathlib import Path

import numpy as np

from mim_tf.data.files.arrays import check_interval, check_length
from mim_tf.data.files.npz_member import member_keys, member_shape, read_member
from mim_tf.data.source import Indices, SequenceSource
from mim_tf.data.taxibj.h5 import CHANNELS
from mim_tf.errors import MimError


class TaxiBJNpzSource(SequenceSource):
    """Sequences of `dataset.npz`: the frames of X, then those of Y, from [-1, 1] to [0, 1].

    Frames come in the order of the file, and stay in it unless it is compressed. It has no dates,
    so windows, order and split are what its author made them; and no counts, so frames have no
    physical values.

    Args:
        path: the file; arrays `X_train` and `Y_train`, or `X_test` and `Y_test`, floats
            `[N, frames, 2, H, W]`, with 4 frames each in the file in circulation.
        split: "train", or "valid" or "test", which are the same.
        total_length: frames of a sequence; longer ones are cut to their first frames.
        check: whether the file is compared with its checksums, as for `read_member`.

    Raises `MimError` for a file that cannot be read, arrays that do not fit each other, too few
    frames, and the first frame with a value that is NaN or outside [-1, 1].
    """

    def __init__(self, path: str | Path, split: str, total_length: int, check: bool = True):
        self.path = str(path)
        suffix = "train" if split == "train" else "test"
        self._keys = [f"X_{suffix}", f"Y_{suffix}"]
        found = member_keys(path)
        if not set(self._keys) <= set(found):
            raise MimError(
                f"{path}: expected the arrays {' and '.join(self._keys)}, found "
                f"{', '.join(found) or 'none'}. Use the dataset.npz of TaxiBJ."
            )
        self._parts = [read_member(path, key, "f", 5, check) for key in self._keys]
        self._check_shapes()
        lengths = [part.shape[1] for part in self._parts]
        check_length(self.path, sum(lengths), total_length)
        for key, part in zip(self._keys, self._parts, strict=True):
            mending = "Scale the counts linearly to [-1, 1]"
            check_interval(part, f"{path}, {key}", ("sequence", "frame"), -1, mending)
        self.size, _, _, height, width = self._parts[0].shape
        self.shape = (total_length, height, width, CHANNELS)

    def sequences(self, indices: Indices) -> np.ndarray:
        indices = np.asarray(indices, np.int64)
        frames = np.concatenate([part[indices] for part in self._parts], axis=1, dtype=np.float32)
        unit = (frames[:, : self.shape[0]] + 1) / 2
        return np.ascontiguousarray(unit.transpose(0, 1, 3, 4, 2))

    def describe(self) -> dict:
        return super().describe() | {
            "source": "TaxiBJ format, .npz",
            "paths": [self.path],
            "arrays": self._keys,
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


def read_npz_grid(path: str | Path) -> tuple[int, int]:
    """(height, width) of the frames in `dataset.npz`, read from a header."""
    keys = [key for key in member_keys(path) if key in ("X_train", "X_test")]
    if not keys:
        raise MimError(f"{path}: expected the array X_train, found none. Use TaxiBJ's dataset.npz.")
    return member_shape(path, keys[0], "f", 5)[3:]
