"""The content of each batch: which sequences, in which variants, how long, with which true frames.

Everything is a function of the seed and the number of the iteration. A resumed run and each of
several processes therefore get the batches of one uninterrupted process.
"""

import functools
from collections.abc import Iterator

import numpy as np

from mim_tf.config import TrainingConfig
from mim_tf.data.source import Indices, SequenceSource, filled
from mim_tf.errors import MimError


class TrainingOrder:
    """Item n: indices of the sequences in batch n = 0, 1, 2, ... of a training, without end.

    A finite set is shuffled anew in each epoch: every sequence comes once, and a batch may reach
    into the next epoch. An endless set, of `size` None, is visited in order. All batches have one
    size. Epoch e is a function of (`seed`, e).

    `shard` is (process, processes), where several train together. Each has an equal share of the
    rows of every batch, process 0 the first: `rows`, `share` of them. Raises `MimError` if a batch
    cannot be divided equally.
    """

    def __init__(self, size: int | None, batch_size: int, seed: int, shard=(0, 1)):
        process, processes = shard
        if batch_size % processes:
            raise MimError(
                f"Expected batch_size as a multiple of {processes} processes, got {batch_size}."
            )
        self.share = batch_size // processes
        self._size = size
        self._batch_size = batch_size
        self.rows = process * self.share + np.arange(self.share)

        @functools.lru_cache(2)  # two epochs, because a batch may reach from one into the next
        def permutation(epoch):
            return np.random.default_rng([seed, epoch]).permutation(size or 0)

        self._permutation = permutation

    def __getitem__(self, batch: int) -> np.ndarray:
        positions = batch * self._batch_size + self.rows
        if self._size is None:
            return positions
        return np.array([self._permutation(p // self._size)[p % self._size] for p in positions])


def evaluation_batches(size: int, batch_size: int) -> Iterator[np.ndarray]:
    """Yield indices 0 .. size-1 in order; the last batch may be smaller."""
    for first in range(0, size, batch_size):
        yield np.arange(first, min(first + batch_size, size))


def evaluated(source: SequenceSource, limit: int = 0) -> np.ndarray:
    """Return the indices an evaluation visits: all, or `limit` of them.

    If sequences are independent, these are the first `limit`, as published scores on the first
    1,000 sequences of record are. Windows of recordings are evenly spaced over all recordings.
    """
    every = np.arange(source.size or 0)
    if not limit or limit >= len(every):
        return every
    if len(np.unique(source.groups(every))) == len(every):
        return every[:limit]
    return np.arange(limit) * len(every) // limit


def evaluated_batches(source: SequenceSource, batch_size: int, limit: int = 0) -> list[np.ndarray]:
    """Divide what an evaluation visits into batches; the last may be smaller."""
    indices = evaluated(source, limit)
    return [indices[batch] for batch in evaluation_batches(len(indices), batch_size)]


def spread(size: int, count: int) -> list[int]:
    """Return up to `count` different indices below `size`, evenly spaced from first to last."""
    return np.linspace(0, size - 1, min(count, size)).round().astype(int).tolist()


def true_frame_probability(config: TrainingConfig, iteration: int) -> float:
    """Return how probable it is in iteration 1, 2, ... that a frame after the context is true.

    The probability falls linearly from `sampling_start_value` to 0, as the other fields
    `sampling_...` say. It is 0 without `scheduled_sampling`.

    Source: Bengio et al. (NeurIPS 2015); 2019 code, `schedule_sampling`.
    """
    if not config.scheduled_sampling:
        return 0.0
    if config.sampling_share:
        fallen = iteration / (config.sampling_share * config.max_iterations)
        return config.sampling_start_value * max(1 - fallen, 0.0)
    if iteration >= config.sampling_stop_iter:
        return 0.0
    return max(config.sampling_start_value - config.sampling_changing_rate * iteration, 0.0)


def draw_flags(config: TrainingConfig, iteration: int, rows, steps: int) -> np.ndarray:
    """Draw flags: 1 where the network gets the true frame, 0 where it gets its own prediction.

    They are float32 `[len(rows), steps]`, for these rows of the batch and each frame after the
    context that a prediction follows. All updates of iteration 1, 2, ... have the same flags.
    """
    random = np.random.default_rng([config.seed, iteration])
    # The whole batch is drawn, so that each process has the rows that one process would have.
    drawn = random.random((config.batch_size, steps))[rows]
    return (drawn < true_frame_probability(config, iteration)).astype(np.float32)


def sequence_length(
    config: TrainingConfig, iteration: int, total_length: int, input_length: int
) -> tuple[int, int]:
    """Return the frames of the sequences in iteration 1, 2, ..., and how many are context.

    For `short_share` of all iterations sequences are cut to `short_length` frames, by default half
    of `total_length`, and their context in proportion. An update then costs as much less, and a
    few frames already show most of what a cell has to learn about motion.
    """
    if iteration > config.short_share * config.max_iterations:
        return total_length, input_length
    short = min(max(config.short_length or total_length // 2, 2), total_length)
    context = round(input_length * short / total_length)
    return short, min(max(context, 1), short - 1)


def flags_and_length(
    config: TrainingConfig, iteration: int, rows, total_length: int, input_length: int
) -> tuple[np.ndarray, int]:
    """Return `draw_flags` for the sequences of an iteration, and their length."""
    length, context = sequence_length(config, iteration, total_length, input_length)
    return draw_flags(config, iteration, rows, length - context - 1), length


def has_flags(config: TrainingConfig) -> bool:
    """Return whether batches carry flags: with scheduled sampling or short sequences."""
    return bool(config.scheduled_sampling or config.short_share)


def variants(config: TrainingConfig) -> list[tuple[slice, ...]]:
    """Return the index into frames `[B, T, H, W, C]` that gives each variant of a batch, in order.

    The frames themselves; then mirrored left to right (`reverse_img`), backwards in time
    (`reverse_input`), and both. Source: 2019 code, `train`.
    """
    every, reverse = slice(None), slice(None, None, -1)
    times = (every, reverse) if config.reverse_input else (every,)
    widths = (every, reverse) if config.reverse_img else (every,)
    return [(every, time, every, width) for time in times for width in widths]


def load_batch(source: SequenceSource, indices: Indices) -> tuple[np.ndarray, np.ndarray]:
    """Return (frames, truth), each `[B, T, H, W, C]`; missing values are 0 and NaN."""
    truth = source.sequences(indices)
    return (filled(truth), truth) if source.has_missing else (truth, truth)
