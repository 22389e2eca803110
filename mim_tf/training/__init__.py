"""Loss, optimizer, and the run that trains a model; importing it registers them with Keras."""

from mim_tf.training import compile, optimizers  # noqa: F401
