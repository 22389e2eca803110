"""What a source of frame sequences is."""

import abc

import numpy as np


class SequenceSource(abc.ABC):
    """Sequences by index; needs NumPy only.

    Attributes:
        shape: (T, H, W, C) of every sequence.
        size: number of sequences, or None where there is no end to them.
    """

    shape: tuple[int, int, int, int]
    size: int | None

    @abc.abstractmethod
    def sequences(self, indices) -> np.ndarray:
        """Sequences `indices` as `[len(indices), T, H, W, C]`, float32 in [0, 1].

        The same index gives the same sequence at any time and in any batch.
        """

    @abc.abstractmethod
    def describe(self) -> dict:
        """What a run records about its data, as JSON types."""
