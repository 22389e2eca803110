"""The data sets without TensorFlow give what those of the pipeline give."""

import itertools
import threading

import numpy as np
import pytest

from mim_tf.config import TrainingConfig
from mim_tf.data.batches import with_numpy, with_tensorflow
from mim_tf.data.files.arrays import ArraySource
from mim_tf.errors import MimError


class Counted(ArraySource):
    """Every value above 0.9 is missing; reads of sequences are kept as a list."""

    has_missing = True

    def __init__(self, frames, size=None):
        super().__init__(frames)
        self.size = size
        self.reads = []

    def sequences(self, indices):
        self.reads.append(np.asarray(indices).tolist())
        frames = super().sequences(np.asarray(indices) % len(self.frames))
        return np.where(frames > 0.9, np.float32(np.nan), frames)


@pytest.fixture(scope="module")
def frames():
    return np.random.default_rng(0).random((7, 4, 3, 5, 2), np.float32)


def assert_equal_batches(batches, expected, count=None):
    pairs = zip(itertools.islice(batches, count), itertools.islice(expected, count), strict=True)
    for got, wanted in pairs:
        for part, wanted_part in zip(got, wanted, strict=True):
            assert part.dtype == np.float32
            np.testing.assert_array_equal(part, wanted_part)


@pytest.mark.parametrize("size", [7, None])
@pytest.mark.parametrize(
    "variants", [{}, {"reverse_img": True}, {"reverse_img": True, "reverse_input": False}]
)
@pytest.mark.parametrize("shard", [(0, 1), (1, 2)])
def test_training_batches_equal_those_of_the_pipeline(frames, size, variants, shard):
    source = Counted(frames, size)
    config = TrainingConfig(batch_size=4, seed=5, **variants)
    made = [
        module.training_dataset(source, config, 3, shard)
        for module in (with_numpy, with_tensorflow)
    ]
    assert_equal_batches(*made, count=9)


@pytest.mark.parametrize("limit", [0, 4, 100])
def test_evaluation_batches_equal_those_of_the_pipeline(frames, limit):
    source = Counted(frames, 7)
    made = [module.evaluation_dataset(source, 3, limit) for module in (with_numpy, with_tensorflow)]
    assert np.isnan(next(iter(made[0]))[1]).any()
    assert_equal_batches(*made)
    assert_equal_batches(*made)  # once more from the start


def test_without_missing_values_the_truth_is_the_frames(frames):
    for given, truth in with_numpy.evaluation_dataset(ArraySource(frames), 3):
        np.testing.assert_array_equal(given, truth)


def test_a_batch_is_read_once_for_all_its_variants(frames):
    source = Counted(frames, None)
    updates = with_numpy.training_dataset(source, TrainingConfig(batch_size=2, reverse_img=True))
    for update in (0, *range(20)):  # Keras looks at the first before it trains on it.
        updates[update]
    reads = sorted(source.reads)
    assert reads == [[2 * n, 2 * n + 1] for n in range(len(reads))]
    assert 5 <= len(reads) <= 5 + 2  # those used, and ahead of them


def test_batches_are_loaded_while_earlier_ones_are_used(frames):
    """The second and the third, at the same time: each waits for the other."""
    together = threading.Barrier(2, timeout=20)

    class Waiting(ArraySource):
        def sequences(self, indices):
            if indices[0] in (2, 4):
                together.wait()
            return super().sequences(indices)

    _, *others = with_numpy.evaluation_dataset(Waiting(frames), 2, limit=6)
    assert len(others) == 2


class Damaged(ArraySource):
    """Has all but its sequence 4."""

    def sequences(self, indices):
        if 4 in np.asarray(indices):
            raise MimError("picture 4 cannot be read")
        return super().sequences(indices)


@pytest.mark.parametrize(
    "make",
    [
        lambda s: with_numpy.training_dataset(s, TrainingConfig(batch_size=2)),
        lambda s: with_numpy.evaluation_dataset(s, 2),
    ],
)
def test_errors_of_a_source_come_out_as_they_are(frames, make):
    with (
        pytest.raises(MimError, match=r"^picture 4 cannot be read$"),
        with_numpy.errors_of(Damaged(frames)) as source,
    ):
        for _ in itertools.islice(make(source), 20):
            pass
