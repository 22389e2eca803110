"""TensorFlow without graphs, for networks that run only a few times."""

import contextlib

import tensorflow as tf


@contextlib.contextmanager
def eagerly(wanted=True):
    """Run functions operation by operation inside: to trace a graph takes seconds."""
    tf.config.run_functions_eagerly(wanted)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)
