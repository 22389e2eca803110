"""The order in which a data set is visited."""

import functools
import itertools
from collections.abc import Iterator

import numpy as np

from mim_tf.config import TrainingConfig
from mim_tf.data.source import Indices, SequenceSource, filled
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


def evaluated(source: SequenceSource, limit: int = 0) -> np.ndarray:
    """Return the indices an evaluation visits: all, or `limit` of them.

    If sequences are independent, these are the first `limit`, as published scores on the first
    1,000 sequences of record are. Windows of recordings are evenly spaced over all recordings.
    """
    every = np.arange(source.size)
    if not limit or limit >= source.size:
        return every
    if len(np.unique(source.groups(every))) == source.size:
        return every[:limit]
    return np.arange(limit) * source.size // limit


def evaluated_batches(source: SequenceSource, batch_size: int, limit: int = 0) -> list[np.ndarray]:
    """Divide what an evaluation visits into batches; the last may be smaller."""
    indices = evaluated(source, limit)
    return [indices[batch] for batch in evaluation_batches(len(indices), batch_size)]


# MERGED: Which true frames a network is given after the context while it is trained.


def true_frame_probability(config: TrainingConfig, iteration: int) -> float:
    """Probability, in iteration 1, 2, ..., that a frame after the context is the true one.

    It falls linearly from `sampling_start_value` to 0; how fast, and where it ends, the other
    fields `sampling_...` say. 0 without `scheduled_sampling`.

    Source: Bengio et al. (NeurIPS 2015); 2019 code, `schedule_sampling`.
    """
    if not config.scheduled_sampling:
        return 0.0
    if config.sampling_share:
        fallen = iteration / (config.sampling_share * config.max_iterations)
        return config.sampling_start_value * max(1 - fallen, 0.0)
    if iteration >= config.sampling_stop_iter:
        return 0.0
    fallen = config.sampling_changing_rate * iteration
    return max(config.sampling_start_value - fallen, 0.0)


def draw_flags(config: TrainingConfig, iteration: int, rows, steps: int) -> np.ndarray:
    """Flags of a batch, 1 where the network is given the true frame and 0 where its prediction.

    They depend on the seed, the iteration and the row alone, so that a resumed run and each of
    several processes draw what one uninterrupted process would have.

    Args:
        config: of the training.
        iteration: 1, 2, ...; all its updates have the same flags.
        rows: of the batch, those to draw for.
        steps: frames after the context that a prediction follows.

    Returns:
        float32 `[len(rows), steps]`.
    """
    random = np.random.default_rng([config.seed, iteration])
    drawn = random.random((config.batch_size, steps))[rows]
    return np.float32(drawn < true_frame_probability(config, iteration))


# MERGED: How long the sequences of an iteration are.


def sequence_length(
    config: TrainingConfig, iteration: int, total_length: int, input_length: int
) -> tuple[int, int]:
    """Frames of the sequences in iteration 1, 2, ..., and how many of them are context.

    For `short_share` of all iterations they are cut to `short_length` frames, half of
    `total_length` by default, and their context in proportion: an update then costs as much less,
    and what a cell has to learn of motion shows in few frames already.

    Args:
        config: of the training.
        iteration: from 1.
        total_length: frames of the data's sequences.
        input_length: context length of the model.
    """
    if iteration > config.short_share * config.max_iterations:
        return total_length, input_length
    short = min(max(config.short_length or total_length // 2, 2), total_length)
    context = round(input_length * short / total_length)
    return short, min(max(context, 1), short - 1)


# MERGED: What is learnt of one batch.


def variants(config: TrainingConfig) -> list[tuple[slice, ...]]:
    """The index into frames `[B, T, H, W, C]` that gives each variant of a batch, in order.

    As the frames are; then mirrored left to right (`reverse_img`), backwards in time
    (`reverse_input`), and both. Source: 2019 code, `train`.
    """
    every, reverse = slice(None), slice(None, None, -1)
    times = (every, reverse) if config.reverse_input else (every,)
    widths = (every, reverse) if config.reverse_img else (every,)
    return [(every, time, every, width) for time in times for width in widths]


# MERGED: Batches of a source: frames, and the truth to compare predictions with.


def load_batch(source: SequenceSource, indices: Indices) -> tuple[np.ndarray, np.ndarray]:
    """Return (frames, truth), each `[B, T, H, W, C]`; missing values are 0 and NaN."""
    truth = source.sequences(indices)
    return (filled(truth), truth) if source.has_missing else (truth, truth)
