"""Batches: their order, variants, lengths and flags, the same through tf.data and NumPy."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from mim_tf.config import TrainingConfig
from mim_tf.data.batches import with_numpy, with_tensorflow
from mim_tf.data.batches.order import (
    TrainingOrder,
    draw_flags,
    evaluated,
    evaluation_batches,
    sequence_length,
    spread,
    true_frame_probability,
    variants,
)
from mim_tf.data.files.arrays import ArraySource
from mim_tf.errors import MimError
from tests.small_sources import Gappy

BOTH = pytest.mark.parametrize("module", [with_numpy, with_tensorflow])
FRAMES = np.random.default_rng(0).random((7, 6, 3, 5, 2), np.float32)


def take(order, count):
    return [order[n].tolist() for n in range(count)]


@pytest.mark.parametrize(("size", "batch_size"), [(10, 4), (6, 2), (3, 7)])
def test_every_epoch_is_a_permutation_of_numpy_by_the_seed(size, batch_size):
    epochs = [np.random.default_rng([3, epoch]).permutation(size) for epoch in range(12)]
    expected = np.concatenate(epochs)[: 5 * batch_size].reshape(5, batch_size)
    assert take(TrainingOrder(size, batch_size, seed=3), 5) == expected.tolist()


def test_an_endless_set_is_visited_in_order():
    assert take(TrainingOrder(None, 3, seed=0), 2) == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("size", [10, None])
def test_processes_share_each_batch_in_order(size):
    shares = [TrainingOrder(size, 6, seed=0, shard=(process, 3)) for process in range(3)]
    assert [order.share for order in shares] == [2, 2, 2]
    for n, batch in enumerate(take(TrainingOrder(size, 6, seed=0), 4)):
        assert np.concatenate([order[n] for order in shares]).tolist() == batch
    with pytest.raises(MimError, match="batch_size"):
        TrainingOrder(size, 6, seed=0, shard=(0, 4))


def test_evaluation_visits_all_or_the_first_or_those_spread_over_recordings():
    assert [batch.tolist() for batch in evaluation_batches(5, 2)] == [[0, 1], [2, 3], [4]]
    source = ArraySource(FRAMES)
    for limit, count in ((0, 7), (4, 4), (100, 7)):
        assert evaluated(source, limit).tolist() == list(range(count))
    source.groups = lambda indices: np.asarray(indices) // 3
    assert evaluated(source, 3).tolist() == [0, 2, 4]
    assert [spread(9, 3), spread(2, 5), spread(1, 5)] == [[0, 4, 8], [0, 1], [0]]


@pytest.mark.parametrize(
    ("reverse_img", "reverse_input", "expected"),
    [
        (False, False, [[[0, 1], [2, 3]]]),
        (True, False, [[[0, 1], [2, 3]], [[1, 0], [3, 2]]]),
        (False, True, [[[0, 1], [2, 3]], [[2, 3], [0, 1]]]),
        (True, True, [[[0, 1], [2, 3]], [[1, 0], [3, 2]], [[2, 3], [0, 1]], [[3, 2], [1, 0]]]),
    ],
)
def test_variants_are_mirrored_then_backwards_then_both(reverse_img, reverse_input, expected):
    config = TrainingConfig(reverse_img=reverse_img, reverse_input=reverse_input)
    frames = np.arange(4).reshape(1, 2, 1, 2, 1)  # two frames, one pixel high and two wide
    assert [frames[index].reshape(2, 2).tolist() for index in variants(config)] == expected
    assert len(expected) == config.updates_per_iteration


@pytest.mark.parametrize(
    ("changes", "total", "context", "expected"),
    [
        ({}, 20, 10, (10, 5)),
        ({"short_length": 8}, 20, 10, (8, 4)),
        ({"short_length": 30}, 20, 10, (20, 10)),
        ({}, 3, 1, (2, 1)),
        ({}, 25, 24, (12, 11)),
        ({"short_share": 0}, 20, 10, (20, 10)),
    ],
)
def test_the_first_sequences_are_short(changes, total, context, expected):
    config = TrainingConfig(**{"short_share": 0.5, "max_iterations": 4} | changes)
    assert sequence_length(config, 1, total, context) == expected
    assert sequence_length(config, 3, total, context) == (total, context)


def sampling(**changes):
    return TrainingConfig(**{"scheduled_sampling": True, "batch_size": 20} | changes)


def flags(config, iteration=1, rows=slice(None)):
    return draw_flags(config, iteration, rows, 9)


@pytest.mark.parametrize(
    ("iteration", "probability"),
    # The 2019 code lowers eta before it first draws.
    [(1, 1 - 2e-5), (2, 1 - 4e-5), (10_000, 0.8), (49_999, 2e-5), (50_000, 0), (80_000, 0)],
)
def test_probability_falls_as_in_the_2019_code(iteration, probability):
    assert true_frame_probability(sampling(), iteration) == pytest.approx(probability, abs=2e-7)


def test_probability_ends_at_the_stop_or_over_a_share_of_the_run():
    stopped = sampling(sampling_changing_rate=0.0, sampling_stop_iter=3)
    assert [true_frame_probability(stopped, i) for i in (1, 2, 3, 4)] == [1, 1, 0, 0]
    shared = sampling(sampling_share=0.5, max_iterations=40, sampling_start_value=0.8)
    got = [true_frame_probability(shared, i) for i in (5, 10, 20, 21)]
    np.testing.assert_allclose(got, [0.6, 0.4, 0, 0], atol=1e-12)
    for sampled in (None, False):
        assert not flags(sampling(scheduled_sampling=sampled)).any()


def test_flags_depend_on_seed_and_iteration_alone_and_are_shared_by_processes():
    config = sampling(sampling_start_value=0.5)
    drawn = flags(config, 3)
    assert drawn.dtype == np.float32
    assert set(np.unique(drawn)) == {0, 1}
    assert 0.4 < drawn.mean() < 0.6
    np.testing.assert_array_equal(drawn, flags(config, 3))
    assert (drawn != flags(config, 4)).any()
    assert (drawn != flags(sampling(sampling_start_value=0.5, seed=1), 3)).any()
    parts = [flags(config, 3, rows=np.arange(first, first + 10)) for first in (0, 10)]
    np.testing.assert_array_equal(np.concatenate(parts), drawn)


GAPPY = Gappy(np.where(FRAMES > 0.9, 0, FRAMES))
ENDLESS = Gappy(np.resize(GAPPY.frames, (400, *GAPPY.shape)))
ENDLESS.size = None


@pytest.mark.parametrize(
    ("source", "shard", "settings"),
    [
        (ENDLESS, (0, 1), {"reverse_img": True}),
        (GAPPY, (1, 2), {"scheduled_sampling": True, "sampling_start_value": 0.5}),
        (GAPPY, (0, 1), {"short_share": 0.5, "max_iterations": 10}),
    ],
)
def test_numpy_gives_the_training_batches_of_tensorflow(source, settings, shard):
    config = TrainingConfig(batch_size=4, seed=5, **settings)
    numpy, tensorflow = (
        module.training_dataset(source, config, 3, shard, input_length=3)
        for module in (with_numpy, with_tensorflow)
    )
    for got, wanted in zip(itertools.islice(numpy, 9), tensorflow.take(9), strict=True):
        for part, other in zip(tf.nest.flatten(got), tf.nest.flatten(wanted), strict=True):
            assert part.dtype == np.float32
            np.testing.assert_array_equal(part, other)


@BOTH
def test_batches_carry_flags_and_are_cut_to_length(module):
    config = sampling(batch_size=4, sampling_start_value=0.5, short_share=0.5, max_iterations=6)
    source = ArraySource(FRAMES)
    updates = module.training_dataset(source, config, 2, (1, 2), input_length=3)
    for n, (inputs, targets) in enumerate(itertools.islice(updates, 4)):
        # A batch and its reversal in time are one iteration. Iteration 3 is short, 4 is not.
        iteration, length = (3, 3) if n < 2 else (4, 6)
        context = 2 if n < 2 else 3
        expected = draw_flags(config, iteration, np.arange(2, 4), length - context - 1)
        np.testing.assert_array_equal(inputs["flags"], expected)
        frames = source.sequences(TrainingOrder(7, 4, config.seed)[iteration - 1][2:])[:, :length]
        np.testing.assert_array_equal(inputs["frames"], frames[:, :: -1 if n % 2 else 1])
        np.testing.assert_array_equal(targets, inputs["frames"][:, 1:])


@BOTH
@pytest.mark.parametrize(("limit", "sizes"), [(0, [3, 3, 1]), (4, [3, 1]), (100, [3, 3, 1])])
def test_evaluation_gives_every_sequence_with_missing_values_0_and_nan(module, limit, sizes):
    found = module.evaluation_dataset(GAPPY, 3, limit)
    for _ in range(2):  # once more from the start
        pairs = [(np.asarray(frames), np.asarray(truth)) for frames, truth in found]
        assert [len(frames) for frames, _ in pairs] == sizes
        frames, truth = map(np.concatenate, zip(*pairs, strict=True))
        np.testing.assert_array_equal(truth, GAPPY.sequences(range(sum(sizes))))
        assert np.isnan(truth).any()
        np.testing.assert_array_equal(frames, np.nan_to_num(truth))


class Damaged(ArraySource):
    """Has all except its sequence 4."""

    def sequences(self, indices):
        if 4 in np.asarray(indices):
            raise MimError("picture 4 cannot be read")
        return super().sequences(indices)


@BOTH
@pytest.mark.parametrize(
    ("make", "argument"),
    [("training_dataset", TrainingConfig(batch_size=2)), ("evaluation_dataset", 2)],
)
def test_errors_of_a_source_are_raised_as_they_are(module, make, argument):
    with (
        pytest.raises(MimError, match=r"^picture 4 cannot be read$"),
        module.errors_of(Damaged(FRAMES)) as source,
    ):
        list(itertools.islice(getattr(module, make)(source, argument), 20))
