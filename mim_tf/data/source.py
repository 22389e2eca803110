"""What a source of frame sequences is."""

import abc
from collections.abc import Sequence

import numpy as np

from mim_tf.data.scale import LinearScale

Indices = Sequence[int] | np.ndarray


class SequenceSource(abc.ABC):
    """Sequences by index; needs NumPy only.

    Attributes:
        shape: (T, H, W, C) of every sequence.
        size: number of sequences, or None where there is no end to them.
        scale: physical values of the frames, None where they have none.
        thresholds: physical values for CSI, POD, FAR and HSS; none by default.
        names: of the channels; none where they have none.
        units: of the channels; none where they have none.
        latitude: degrees north of each row `[H]`; None where rows have none.
        has_missing: whether values can be missing; then `missing` says where.
    """

    shape: tuple[int, int, int, int]
    size: int | None
    scale: LinearScale | None = None
    thresholds: tuple[float, ...] = ()
    names: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    latitude: np.ndarray | None = None
    has_missing: bool = False

    @abc.abstractmethod
    def sequences(self, indices: Indices) -> np.ndarray:
        """Sequences `indices` as `[len(indices), T, H, W, C]`, float32, in [0, 1] unless the
        scale says otherwise.

        The same index gives the same sequence at any time and in any batch. Missing values are 0.
        """

    def missing(self, indices: Indices) -> np.ndarray:
        """Where values of `sequences(indices)` are missing, bool of the same shape."""
        return np.zeros((len(indices), *self.shape), bool)

    def describe(self) -> dict:
        """What a run records about its data, as JSON types; at least these three."""
        return {
            "source": type(self).__name__,
            "sequences": self.size,
            "shape": list(self.shape),
        }
