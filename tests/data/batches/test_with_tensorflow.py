import itertools

import numpy as np
import pytest

from mim_tf.config import TrainingConfig
from mim_tf.data.batches.order import TrainingOrder
from mim_tf.data.batches.with_tensorflow import errors_of, evaluation_dataset, training_dataset
from mim_tf.data.files.arrays import ArraySource
from mim_tf.errors import MimError


@pytest.fixture(scope="module")
def source():
    return ArraySource(np.random.default_rng(0).random((7, 4, 3, 5, 2), np.float32))


def inputs(dataset, count):
    return [np.asarray(frames) for frames, _ in itertools.islice(dataset, count)]


def test_targets_are_the_next_frames(source):
    for frames, targets in itertools.islice(training_dataset(source, TrainingConfig()), 2):
        np.testing.assert_array_equal(targets, frames[:, 1:])


def test_batches_follow_the_seeded_order_in_full_size(source):
    config = TrainingConfig(batch_size=3, seed=5, reverse_input=False)
    order = itertools.islice(TrainingOrder(7, 3, seed=5).batches(), 4)
    for frames, indices in zip(inputs(training_dataset(source, config), 4), order, strict=True):
        np.testing.assert_array_equal(frames, source.sequences(indices))


def test_variants_of_a_batch_follow_it(source):
    config = TrainingConfig(batch_size=2, reverse_img=True)
    assert config.updates_per_iteration == 4
    frames, mirrored, backwards, both = inputs(training_dataset(source, config), 4)
    np.testing.assert_array_equal(mirrored, frames[:, :, :, ::-1])
    np.testing.assert_array_equal(backwards, frames[:, ::-1])
    np.testing.assert_array_equal(both, frames[:, ::-1, :, ::-1])


def test_a_later_start_skips_whole_iterations(source):
    config = TrainingConfig(batch_size=2)
    whole = inputs(training_dataset(source, config), 6)
    resumed = inputs(training_dataset(source, config, start_iteration=2), 2)
    np.testing.assert_array_equal(resumed, whole[4:])


@pytest.mark.parametrize(("limit", "sizes"), [(0, [3, 3, 1]), (4, [3, 1]), (100, [3, 3, 1])])
def test_evaluation_gives_every_sequence_up_to_the_limit(source, limit, sizes):
    batches = inputs(evaluation_dataset(source, 3, limit), None)
    assert [len(batch) for batch in batches] == sizes
    np.testing.assert_array_equal(np.concatenate(batches), source.sequences(np.arange(sum(sizes))))


class Gappy(ArraySource):
    """Every value above 0.9 is missing."""

    has_missing = True

    def sequences(self, indices):
        frames = super().sequences(indices)
        return np.where(frames > 0.9, np.float32(np.nan), frames)


def test_missing_values_are_zero_in_inputs_and_nan_in_targets(source):
    gappy = Gappy(source.frames)
    frames, truth = next(iter(evaluation_dataset(gappy, 7)))
    assert np.isnan(truth).any()
    np.testing.assert_array_equal(truth, gappy.sequences(range(7)))
    np.testing.assert_array_equal(frames, np.nan_to_num(truth))

    dataset = training_dataset(gappy, TrainingConfig(batch_size=2))
    for frames, targets in itertools.islice(dataset, 2):
        assert np.isnan(targets).any()
        np.testing.assert_array_equal(np.nan_to_num(targets), frames[:, 1:])


class Damaged(ArraySource):
    def sequences(self, indices):
        raise MimError("picture 7 cannot be read")


@pytest.mark.parametrize(
    "make", [lambda s: training_dataset(s, TrainingConfig()), lambda s: evaluation_dataset(s, 2)]
)
def test_errors_of_a_source_come_out_as_they_are(source, make):
    with (
        pytest.raises(MimError, match=r"^picture 7 cannot be read$"),
        errors_of(Damaged(source.frames)) as damaged,
    ):
        next(iter(make(damaged)))
