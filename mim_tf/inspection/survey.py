"""A look at every value of a data set."""

import itertools

import numpy as np
from tqdm import tqdm

from mim_tf.data.batches import evaluation_batches
from mim_tf.data.source import SequenceSource

BATCH = 16


def survey(source: SequenceSource) -> dict:
    """Reads every sequence of a finite source.

    Returns:
        `sequences`, `shape` (T, H, W, C), `min`, `mean` and `max` of each channel over the values
        that are not missing (None where all are), `missing`, the share that is, and `still`, the
        number of sequences whose frames are all the same.

    Raises:
        MimError: for the first sequence that cannot be read.
    """
    channels = source.shape[-1]
    low, high = np.full(channels, np.inf), np.full(channels, -np.inf)
    total, counted, still = np.zeros(channels), np.zeros(channels), 0
    with tqdm(total=source.size, desc="reading", unit="seq", leave=False) as progress:
        for indices in evaluation_batches(source.size, BATCH):
            frames = source.sequences(indices)
            present = ~source.missing(indices) if source.has_missing else np.True_
            axes = (0, 1, 2, 3)
            low = np.minimum(low, frames.min(axes, where=present, initial=np.inf))
            high = np.maximum(high, frames.max(axes, where=present, initial=-np.inf))
            total += frames.sum(axes, where=present, dtype=np.float64)
            counted += np.broadcast_to(present, frames.shape).sum(axes)
            still += int((frames == frames[:, :1]).all(axis=(1, 2, 3, 4)).sum())
            progress.update(len(indices))
    values = source.size * np.prod(source.shape[:-1], dtype=np.int64)
    return {
        "sequences": source.size,
        "shape": list(source.shape),
        "min": [_number(each) for each in low],
        "mean": [
            _number(part / count) if count else None
            for part, count in zip(total, counted, strict=True)
        ],
        "max": [_number(each) for each in high],
        "missing": float(1 - counted.sum() / (channels * values)),
        "still": still,
    }


def _number(value):
    return float(value) if np.isfinite(value) else None


def spread(size: int, count: int) -> list[int]:
    """Up to `count` different indices of `size`, evenly from the first to the last."""
    indices = np.linspace(0, size - 1, min(count, size)).round().astype(int)
    return [index for index, _ in itertools.groupby(indices.tolist())]
