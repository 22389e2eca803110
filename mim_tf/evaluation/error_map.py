"""Where in the frame a model errs."""

import numpy as np


class ErrorMap:
    """Mean squared error at each pixel and lead time, predictions clipped to [0, 1].

    Missing values are left out.
    """

    def __init__(self):
        self._sum = self._count = 0

    def update(self, truth: np.ndarray, prediction: np.ndarray) -> None:
        """Adds a batch `[B, horizon, H, W, C]`; NaN where a value of the truth is missing."""
        error = np.square(np.clip(prediction, 0, 1) - truth)
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
