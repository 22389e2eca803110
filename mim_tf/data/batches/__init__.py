"""From a source to batches: with tf.data where Keras runs on TensorFlow, otherwise with NumPy."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mim_tf.data.batches.with_tensorflow import errors_of, evaluation_dataset, training_dataset

__all__ = ["errors_of", "evaluation_dataset", "training_dataset"]


def __getattr__(name: str) -> object:
    """Import a function for Keras' backend when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import keras

    backend = "tensorflow" if keras.backend.backend() == "tensorflow" else "numpy"
    return getattr(importlib.import_module(f"{__name__}.with_{backend}"), name)
