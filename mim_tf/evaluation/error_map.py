"""Where in the frame a model errs."""

import numpy as np

from mim_tf.data.scale import UNIT, LinearScale


class ErrorMap:
    """Mean squared error at each pixel and lead time, of frames as pictures show them.

    Missing values are left out.

    Args:
        scale: says what is black, 0, and what white, 1; None: frames are in [0, 1].
    """

    def __init__(self, scale: LinearScale | None = None):
        self._scale = scale or UNIT
        self._sum = self._count = 0

    def update(self, truth: np.ndarray, prediction: np.ndarray) -> None:
        """Adds a batch `[B, horizon, H, W, C]`; NaN where a value of the truth is missing."""
        error = np.square(self._scale.shown(prediction) - self._scale.shown(truth))
        known = ~np.isnan(error)
        self._sum = self._sum + np.where(known, error, 0).sum(axis=(0, -1), dtype=np.float64)
        self._count = self._count + known.sum(axis=(0, -1))

    def merge(self, other: "ErrorMap") -> None:
        """Adds the sequences of `other`."""
        self._sum = self._sum + other._sum
        self._count = self._count + other._count

    def result(self) -> np.ndarray:
        """`[horizon, H, W]`, float32, mean over sequences and channels; NaN where none is known."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self._sum / self._count, np.float32)
