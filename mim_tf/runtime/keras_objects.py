"""All that files of Keras can hold of ours; importing it registers the classes with Keras."""

import mim_tf.layers
import mim_tf.models
import mim_tf.training.compile
import mim_tf.training.optimizers  # noqa: F401
