import itertools

import numpy as np
import pytest

from mim_tf.data.batches.order import (
    TrainingOrder,
    evaluated,
    evaluated_batches,
    evaluation_batches,
)
from mim_tf.data.files.arrays import ArraySource
from mim_tf.errors import MimError


def take(order, count, start=0):
    return [batch.tolist() for batch in itertools.islice(order.batches(start), count)]


def test_every_sequence_comes_once_an_epoch_also_when_batches_do_not_divide_it():
    indices = np.concatenate(take(TrainingOrder(10, 4, seed=0), 5))
    assert sorted(indices[:10]) == sorted(indices[10:]) == list(range(10))


def test_epochs_are_shuffled_differently():
    first, second = take(TrainingOrder(50, 50, seed=0), 2)
    assert first != second


def test_the_seed_decides_the_order():
    one, same, other = (take(TrainingOrder(50, 8, seed=seed), 3) for seed in (1, 1, 2))
    assert one == same != other


def test_the_order_is_that_of_numpy_from_the_seed_and_the_epoch():
    second_epoch = np.random.default_rng([3, 1]).permutation(6).tolist()
    assert TrainingOrder(6, 2, seed=3)[4].tolist() == second_epoch[2:4]


@pytest.mark.parametrize("size", [10, None])
def test_a_later_start_gives_the_rest(size):
    whole = take(TrainingOrder(size, 4, seed=0), 9)
    assert take(TrainingOrder(size, 4, seed=0), 3, start=6) == whole[6:]


@pytest.mark.parametrize("size", [10, None])
def test_batches_can_be_had_in_any_order(size):
    order = TrainingOrder(size, 4, seed=0)
    backwards = [order[n].tolist() for n in reversed(range(9))]
    assert backwards[::-1] == take(TrainingOrder(size, 4, seed=0), 9)


def test_a_set_smaller_than_a_batch_is_repeated():
    batch = TrainingOrder(3, 7, seed=0)[0].tolist()
    assert sorted(batch[:3]) == sorted(batch[3:6]) == [0, 1, 2]


def test_an_endless_set_is_visited_in_order():
    assert take(TrainingOrder(None, 3, seed=0), 2) == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("size", [10, None])
def test_processes_share_each_batch_in_order(size):
    shares = [TrainingOrder(size, 6, seed=0, shard=(process, 3)) for process in range(3)]
    assert [order.share for order in shares] == [2, 2, 2]
    whole = take(TrainingOrder(size, 6, seed=0), 4)
    for n, batch in enumerate(whole):
        assert np.concatenate([order[n] for order in shares]).tolist() == batch


def test_a_batch_that_cannot_be_shared_equally():
    with pytest.raises(MimError, match=r"multiple of the number of processes, 4, .*received 6"):
        TrainingOrder(10, 6, seed=0, shard=(0, 4))


def test_evaluation_visits_every_sequence_once_with_a_smaller_last_batch():
    assert [batch.tolist() for batch in evaluation_batches(5, 2)] == [[0, 1], [2, 3], [4]]


@pytest.mark.parametrize(("limit", "expected"), [(0, 7), (4, 4), (100, 7)])
def test_an_evaluation_visits_all_or_the_first_of_independent_sequences(limit, expected):
    source = ArraySource(np.zeros((7, 2, 1, 1, 1), np.float32))
    assert evaluated(source, limit).tolist() == list(range(expected))


def test_a_limited_evaluation_of_windows_is_spread_over_recordings():
    source = ArraySource(np.zeros((9, 2, 1, 1, 1), np.float32))
    source.groups = lambda indices: np.asarray(indices) // 3
    assert evaluated(source, 3).tolist() == [0, 3, 6]
    batches = evaluated_batches(source, 2, 3)
    assert [batch.tolist() for batch in batches] == [[0, 3], [6]]
