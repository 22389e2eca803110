"""Batches with NumPy alone, for backends other than TensorFlow; as those of with_tensorflow.py."""

import contextlib
import sys
from concurrent.futures import ThreadPoolExecutor

import keras

from mim_tf.data.batches import order
from mim_tf.data.source import SequenceSource

_AHEAD = 2  # batches to load before they are asked for


def evaluation_dataset(source: SequenceSource, batch_size: int, limit: int = 0):
    """Return (frames, truth) of each sequence of `evaluated_batches`."""
    batches = order.evaluated_batches(source, batch_size, limit)
    return _LoadedAhead(source, batches, len(batches))


errors_of = contextlib.nullcontext
"""A context that yields the source: its errors are raised as they are."""


class _Updates(keras.utils.PyDataset):
    """The updates of a training; item n is the n-th. Arguments are those of with_tensorflow.py."""

    num_batches = None

    def __init__(self, source, config, start_iteration=0, shard=(0, 1), input_length=1):
        # Without Keras' own workers: before the first update `fit` asks for a batch to see its
        # shape, and with workers that batch is lost (Keras 3.15).
        super().__init__(workers=1)
        self._order = order.TrainingOrder(source.size, config.batch_size, config.seed, shard)
        self._batches = _LoadedAhead(source, self._order)
        self._config = config
        self._start = start_iteration
        self._lengths = source.shape[0], input_length
        self._variants = order.variants(config)

    def __getitem__(self, update):
        iteration, variant = divmod(update, len(self._variants))
        iteration += self._start
        index = self._variants[variant]
        frames, truth = self._batches[iteration]
        if not order.has_flags(self._config):
            return frames[index], truth[index][:, 1:]
        # Cut to length before the variant is taken: a sequence backwards starts at its new end.
        flags, length = order.flags_and_length(
            self._config, iteration + 1, self._order.rows, *self._lengths
        )
        frames, truth = frames[:, :length][index], truth[:, :length][index]
        return {"frames": frames, "flags": flags}, truth[:, 1:]


training_dataset = _Updates


class _LoadedAhead:
    """(frames, truth) of batch n, loaded in threads together with the batches that follow."""

    def __init__(self, source, indices, count=sys.maxsize):
        self._source = source
        self._indices = indices
        self._count = count
        self._threads = ThreadPoolExecutor(_AHEAD)
        self._loading = {}

    def __iter__(self):
        return map(self.__getitem__, range(self._count))

    def __getitem__(self, n):
        wanted = range(n, min(n + 1 + _AHEAD, self._count))
        self._loading = {i: self._loading.get(i) or self._start(i) for i in wanted}
        return self._loading[n].result()

    def _start(self, n):
        return self._threads.submit(order.load_batch, self._source, self._indices[n])
