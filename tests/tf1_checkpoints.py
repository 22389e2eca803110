"""TensorFlow 1 checkpoints for tests."""

import tensorflow as tf

from tests.golden_cases import GOLDEN


def golden_checkpoint(case):
    """Prefix of the checkpoint the 2019 graph of a golden case wrote."""
    return GOLDEN / case / "model.ckpt-3"


def write_checkpoint(prefix, arrays):
    """Writes name -> array in the format of TensorFlow 1's saver; returns the prefix."""
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=list(arrays),
        shape_and_slices=[""] * len(arrays),
        tensors=list(arrays.values()),
    )
    return prefix
