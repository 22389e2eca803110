"""Loss, optimizers, state, devices and callbacks; importing it registers them with Keras."""

from mim_tf.training import optimizers  # noqa: F401
