"""The order in which a data set is visited."""

import functools
import itertools
from collections.abc import Iterator

import numpy as np

from mim_tf.data.source import SequenceSource
from mim_tf.errors import MimError


class TrainingOrder:
    """Item n: indices of the sequences in batch n = 0, 1, 2, ... of a training, without end.

    A finite set is shuffled anew in each epoch, every sequence comes once in it, and a batch may
    reach into the next epoch. An endless one is visited in order. All batches have one size.

    Args:
        size: sequences of the set, None if endless.
        batch_size: sequences in a batch, of all processes together.
        seed: of the shuffles; epoch e is a function of (seed, e).
        shard: (process, processes), where several processes train together: each has its equal
            share of the rows of every batch, process 0 the first.

    Attributes:
        rows: those of the process in every batch.
        share: number of those rows; the length of an item.

    Raises:
        MimError: if a batch cannot be divided equally among the processes.
    """

    def __init__(self, size: int | None, batch_size: int, seed: int, shard=(0, 1)):
        process, processes = shard
        if batch_size % processes:
            raise MimError(
                f"batch_size must be a multiple of the number of processes, {processes}, because "
                f"each has an equal share of every batch; received {batch_size}."
            )
        self.share = batch_size // processes
        self._size = size
        self._batch_size = batch_size
        self.rows = process * self.share + np.arange(self.share)
        # Of two epochs, because a batch may reach from one into the next.
        self._permutation = functools.lru_cache(2)(
            lambda epoch: np.random.default_rng([seed, epoch]).permutation(size)
        )

    def __getitem__(self, batch: int) -> np.ndarray:
        positions = batch * self._batch_size + self.rows
        if self._size is None:
            return positions
        return np.array([self._permutation(p // self._size)[p % self._size] for p in positions])

    def batches(self, start: int = 0) -> Iterator[np.ndarray]:
        """Batch after batch, from `start` on: where a resumed run goes on, at no cost."""
        return map(self.__getitem__, itertools.count(start))


def evaluation_batches(size: int, batch_size: int) -> Iterator[np.ndarray]:
    """Indices 0 .. size-1 in order; the last batch may be smaller."""
    for first in range(0, size, batch_size):
        yield np.arange(first, min(first + batch_size, size))


def evaluated(source: SequenceSource, limit: int = 0) -> int:
    """Number of sequences an evaluation visits: all of `source`, or the first `limit`."""
    return min(source.size, limit) if limit else source.size
