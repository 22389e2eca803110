"""Loss, optimizers, state, devices and callbacks; importing it registers them with Keras."""

from mim_tf.training import compile, optimizers  # noqa: F401
