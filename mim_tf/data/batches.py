"""The order in which a data set is visited."""

import functools
import itertools
from collections.abc import Iterator

import numpy as np


def training_batches(
    size: int | None, batch_size: int, seed: int, start: int = 0
) -> Iterator[np.ndarray]:
    """Indices of batch after batch, without end, all of one size.

    A finite set is shuffled anew in each epoch, every sequence comes once in it, and a batch may
    reach into the next epoch. An endless one is visited in order.

    Args:
        size: sequences of the set, None if endless.
        batch_size: sequences in a batch.
        seed: of the shuffles; epoch e is a function of (seed, e).
        start: batches to leave out, at no cost: where a resumed run goes on.
    """
    order = functools.lru_cache(2)(
        lambda epoch: np.random.default_rng([seed, epoch]).permutation(size)
    )
    for batch in itertools.count(start):
        positions = np.arange(batch * batch_size, (batch + 1) * batch_size)
        if size is None:
            yield positions
        else:
            yield np.array([order(p // size)[p % size] for p in positions.tolist()])


def evaluation_batches(size: int, batch_size: int) -> Iterator[np.ndarray]:
    """Indices 0 .. size-1 in order; the last batch may be smaller."""
    for first in range(0, size, batch_size):
        yield np.arange(first, min(first + batch_size, size))
