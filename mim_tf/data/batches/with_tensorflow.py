"""Batches through tf.data, for Keras on TensorFlow."""

import contextlib
import functools

import numpy as np
import tensorflow as tf

from mim_tf.config import TrainingConfig
from mim_tf.data.batches import order
from mim_tf.data.source import SequenceSource, WrappedSource
from mim_tf.errors import MimError


def training_dataset(
    source: SequenceSource,
    config: TrainingConfig,
    start_iteration: int = 0,
    shard: tuple[int, int] = (0, 1),
    input_length: int = 1,
) -> tf.data.Dataset:
    """Return endless (inputs, targets) for `fit`: frames `[B, T, H, W, C]` and frames 2..T.

    With scheduled sampling or short sequences, the inputs are a dict of `frames` and the `flags`
    of `draw_flags`. Each batch comes `config.updates_per_iteration` times, as each of its
    `variants`. Missing values are 0 in inputs and NaN in targets. `start_iteration` iterations were
    already trained. `shard` is as for `TrainingOrder`; B is the share of the process. Only dicts
    depend on `input_length`, the context length.
    """
    indices = order.TrainingOrder(source.size, config.batch_size, config.seed, shard)
    numbers = tf.data.Dataset.counter(start_iteration)
    batches = _load(source, numbers, indices.__getitem__, indices.share)
    if not order.has_flags(config):
        return batches.flat_map(functools.partial(_variants, config=config)).prefetch(2)

    def draw(number):
        flags, length = order.flags_and_length(
            config, number + 1, indices.rows, source.shape[0], input_length
        )
        return flags, np.int32(length)

    def with_flags(batch, number):
        flags, length = tf.numpy_function(draw, [number], (tf.float32, tf.int32), stateful=False)
        flags.set_shape((indices.share, None))
        return _variants(*(frames[:, :length] for frames in batch), config).map(
            lambda frames, targets: ({"frames": frames, "flags": flags}, targets)
        )

    return tf.data.Dataset.zip(batches, numbers).flat_map(with_flags).prefetch(2)


def evaluation_dataset(source: SequenceSource, batch_size: int, limit: int = 0) -> tf.data.Dataset:
    """Return (frames, truth) `[B, T, H, W, C]` of each sequence of `evaluated_batches`."""
    batches = order.evaluated_batches(source, batch_size, limit)
    return _load(source, tf.data.Dataset.range(len(batches)), batches.__getitem__).prefetch(2)


@contextlib.contextmanager
def errors_of(source: SequenceSource):
    """Yield a source to make data sets of; raise its `MimError` instead of TensorFlow's error."""
    watched = _WatchedSource(source)
    try:
        yield watched
    except tf.errors.OpError:
        if watched.error:
            raise watched.error from None
        raise


class _WatchedSource(WrappedSource):
    error: MimError | None = None

    def sequences(self, indices):
        try:
            return super().sequences(indices)
        except MimError as error:
            self.error = error
            raise


def _load(source, numbers, indices_of, batch_size=None):
    # Batches by their numbers, not from a generator: a tf.data.Dataset made of a generator doubles
    # the time of a training step of a small network.
    count = 2 if source.has_missing else 1

    def load(number):
        parts = tf.numpy_function(
            lambda number: order.load_batch(source, indices_of(number))[:count],
            [number],
            [tf.float32] * count,
            stateful=False,
        )
        for part in parts:
            part.set_shape((batch_size, *source.shape))
        return parts[0], parts[-1]

    return numbers.map(load, num_parallel_calls=2)


def _variants(frames, truth, config):
    pairs = [(frames[index], truth[index][:, 1:]) for index in order.variants(config)]
    datasets = map(tf.data.Dataset.from_tensors, pairs)
    return functools.reduce(lambda first, second: first.concatenate(second), datasets)
