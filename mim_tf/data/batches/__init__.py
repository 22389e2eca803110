"""From a source to batches: their order, their variants, with tf.data or NumPy alone."""
