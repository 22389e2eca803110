"""The data sets for the backend Keras runs on: tf.data with TensorFlow, else without it."""

import keras

if keras.backend.backend() == "tensorflow":
    from mim_tf.data.batches.with_tensorflow import evaluation_dataset, own_errors, training_dataset
else:
    from mim_tf.data.batches.with_numpy import evaluation_dataset, own_errors, training_dataset

__all__ = ["evaluation_dataset", "own_errors", "training_dataset"]
