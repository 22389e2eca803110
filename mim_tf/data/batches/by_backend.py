"""The data sets for the backend Keras runs on: tf.data with TensorFlow, else without it."""

import keras

if keras.backend.backend() == "tensorflow":
    from mim_tf.data.batches.with_tensorflow import errors_of, evaluation_dataset, training_dataset
else:
    from mim_tf.data.batches.with_numpy import errors_of, evaluation_dataset, training_dataset

__all__ = ["errors_of", "evaluation_dataset", "training_dataset"]
