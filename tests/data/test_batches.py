import itertools

import numpy as np
import pytest

from mim_tf.data.batches import evaluation_batches, training_batches


def take(batches, count):
    return [batch.tolist() for batch in itertools.islice(batches, count)]


def test_every_sequence_comes_once_an_epoch_also_when_batches_do_not_divide_it():
    indices = np.concatenate(take(training_batches(10, 4, seed=0), 5))
    assert sorted(indices[:10]) == sorted(indices[10:]) == list(range(10))


def test_epochs_are_shuffled_differently():
    first, second = take(training_batches(50, 50, seed=0), 2)
    assert first != second


def test_the_seed_decides_the_order():
    one, same, other = (take(training_batches(50, 8, seed=seed), 3) for seed in (1, 1, 2))
    assert one == same != other


@pytest.mark.parametrize("size", [10, None])
def test_a_later_start_gives_the_rest(size):
    whole = take(training_batches(size, 4, seed=0), 9)
    assert take(training_batches(size, 4, seed=0, start=6), 3) == whole[6:]


def test_a_set_smaller_than_a_batch_is_repeated():
    (batch,) = take(training_batches(3, 7, seed=0), 1)
    assert sorted(batch[:3]) == sorted(batch[3:6]) == [0, 1, 2]


def test_an_endless_set_is_visited_in_order():
    assert take(training_batches(None, 3, seed=0), 2) == [[0, 1, 2], [3, 4, 5]]


def test_evaluation_visits_every_sequence_once_with_a_smaller_last_batch():
    assert [batch.tolist() for batch in evaluation_batches(5, 2)] == [[0, 1], [2, 3], [4]]
