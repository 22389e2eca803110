import itertools

import numpy as np
import pytest

from mim_tf.config import TrainingConfig
from mim_tf.data.batches import with_numpy, with_tensorflow
from mim_tf.data.batches.order import sequence_length
from mim_tf.data.files.arrays import ArraySource


def training(**changes):
    return TrainingConfig(**{"short_share": 0.5, "max_iterations": 4, "batch_size": 2} | changes)


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
    config = training(**changes)
    assert sequence_length(config, 1, total, context) == expected
    assert sequence_length(config, 3, total, context) == (total, context)


@pytest.mark.parametrize("module", [with_numpy, with_tensorflow])
def test_batches_are_cut_to_it(module):
    source = ArraySource(np.random.default_rng(0).random((7, 8, 3, 5, 2), np.float32))
    cut = module.training_dataset(source, training(), start_iteration=1, input_length=4)
    whole = module.training_dataset(source, training(short_share=0), start_iteration=1)
    for (inputs, targets), (frames, _) in itertools.islice(zip(cut, whole, strict=False), 4):
        length, flags = inputs["frames"].shape[1], inputs["flags"].shape[1]
        # Iteration 2 is short, iteration 3 is not; each is learnt forwards and backwards.
        assert (length, flags) in [(4, 1), (8, 3)]
        np.testing.assert_array_equal(targets, inputs["frames"][:, 1:])
        assert np.isin(inputs["frames"], frames).all()
    assert length == 8
