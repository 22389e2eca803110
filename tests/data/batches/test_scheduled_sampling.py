import itertools

import numpy as np
import pytest

from mim_tf.config import TrainingConfig
from mim_tf.data.batches import with_numpy, with_tensorflow
from mim_tf.data.batches.order import draw_flags, true_frame_probability
from mim_tf.data.files.arrays import ArraySource


def sampling(**changes):
    return TrainingConfig(**{"scheduled_sampling": True, "batch_size": 20} | changes)


def flags(config, iteration=1, rows=slice(None), steps=9):
    return draw_flags(config, iteration, rows, steps)


@pytest.mark.parametrize(
    ("iteration", "probability"),
    # The 2019 code lowers eta before it first draws.
    [(1, 1 - 2e-5), (2, 1 - 4e-5), (10_000, 0.8), (49_999, 2e-5), (50_000, 0), (80_000, 0)],
)
def test_probability_falls_as_in_the_2019_code(iteration, probability):
    assert true_frame_probability(sampling(), iteration) == pytest.approx(probability, abs=2e-7)


def test_probability_ends_at_the_stop_even_if_it_has_not_fallen_to_zero():
    config = sampling(sampling_changing_rate=0.0, sampling_stop_iter=3)
    assert [true_frame_probability(config, i) for i in (1, 2, 3, 4)] == [1, 1, 0, 0]


def test_probability_falls_over_a_share_of_the_run():
    config = sampling(sampling_share=0.5, max_iterations=40, sampling_start_value=0.8)
    got = [true_frame_probability(config, i) for i in (5, 10, 20, 21)]
    np.testing.assert_allclose(got, [0.6, 0.4, 0, 0], atol=1e-12)


@pytest.mark.parametrize("sampled", [None, False])
def test_no_true_frame_without_scheduled_sampling(sampled):
    assert not flags(sampling(scheduled_sampling=sampled)).any()


def test_flags_are_as_probable_as_they_should_be():
    config = sampling(sampling_start_value=0.7, sampling_changing_rate=0.0)
    drawn = np.stack([flags(config, i) for i in range(1, 51)])
    assert drawn.dtype == np.float32
    assert set(np.unique(drawn)) == {0, 1}
    # Each row and step on its own, too.
    assert abs(drawn.mean() - 0.7) < 0.02
    assert np.abs(drawn.mean(0) - 0.7).max() < 0.3


def test_flags_depend_on_seed_and_iteration_alone():
    config = sampling(sampling_start_value=0.5)
    np.testing.assert_array_equal(flags(config, 3), flags(config, 3))
    assert (flags(config, 3) != flags(config, 4)).any()
    assert (flags(config, 3) != flags(sampling(sampling_start_value=0.5, seed=1), 3)).any()


def test_processes_share_the_flags_of_a_batch():
    config = sampling(sampling_start_value=0.5)
    parts = [flags(config, 3, rows=np.arange(first, first + 10)) for first in (0, 10)]
    np.testing.assert_array_equal(np.concatenate(parts), flags(config, 3))


@pytest.mark.parametrize("module", [with_numpy, with_tensorflow])
@pytest.mark.parametrize("shard", [(0, 1), (1, 2)])
def test_training_batches_carry_flags(module, shard):
    source = ArraySource(np.random.default_rng(0).random((7, 6, 3, 5, 2), np.float32))
    config = sampling(batch_size=4, sampling_start_value=0.5)
    start = 2
    with_flags = module.training_dataset(source, config, start, shard, input_length=3)
    plain = TrainingConfig(batch_size=4, scheduled_sampling=False)
    without = module.training_dataset(source, plain, start, shard, input_length=3)
    rows = np.arange(4) if shard == (0, 1) else np.arange(2, 4)
    for update, ((inputs, targets), (frames, same_targets)) in enumerate(
        itertools.islice(zip(with_flags, without, strict=False), 5)
    ):
        # A batch and its reversal in time are one iteration.
        expected = draw_flags(config, start + 1 + update // 2, rows, steps=2)
        np.testing.assert_array_equal(inputs["flags"], expected)
        np.testing.assert_array_equal(inputs["frames"], frames)
        np.testing.assert_array_equal(targets, same_targets)
