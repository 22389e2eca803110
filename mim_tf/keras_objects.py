"""All that files of Keras can hold of ours; importing it registers the classes with Keras."""

import mim_tf.layers
import mim_tf.models
import mim_tf.training.adam
import mim_tf.training.learning_rate
import mim_tf.training.loss
import mim_tf.training.muon  # noqa: F401
