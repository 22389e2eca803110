"""Percentile bootstrap: how far a mean would move with other sequences of the same kind.

Reference: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, section 13.3.
"""

from collections.abc import Iterator

import numpy as np

RESAMPLES = 2000
LEVEL = 0.95
SEED = 0
# Counts in memory at a time: 16 MB.
LARGEST_PART = 2_000_000


def resampling_counts(size: int) -> Iterator[np.ndarray]:
    """How often each of `size` sequences comes in each of 2,000 resamples, in parts `[R, size]`.

    Always the same for the same size, so that intervals of two models are paired.
    """
    generator = np.random.default_rng(SEED)
    rows = max(1, LARGEST_PART // size)
    for first in range(0, RESAMPLES, rows):
        count = min(rows, RESAMPLES - first)
        drawn = generator.integers(size, size=(count, size)) + np.arange(count)[:, None] * size
        yield np.bincount(drawn.ravel(), minlength=count * size).reshape(count, size).astype(float)


def interval(means: np.ndarray) -> list[float] | None:
    """`[low, high]` that hold the middle 95 % of resampled means; None where all are NaN."""
    means = means[~np.isnan(means)]
    if not means.size:
        return None
    tail = (1 - LEVEL) / 2
    return np.quantile(means, [tail, 1 - tail]).tolist()


def mean_interval(values: np.ndarray) -> list[float] | None:
    """95 % interval of the mean of `values` `[N]`; None for fewer than two."""
    if len(values) < 2:
        return None
    return interval(
        np.concatenate([counts @ values for counts in resampling_counts(len(values))]) / len(values)
    )
