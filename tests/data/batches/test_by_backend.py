import numpy as np
import tensorflow as tf

from mim_tf.config import TrainingConfig
from mim_tf.data.batches.by_backend import training_dataset
from mim_tf.data.files.arrays import ArraySource


def test_tensorflow_trains_from_tf_data():
    """Other backends do not: see test_backends.py."""
    source = ArraySource(np.zeros((2, 3, 8, 8, 1), np.uint8))
    assert isinstance(training_dataset(source, TrainingConfig(batch_size=1)), tf.data.Dataset)
