"""Sources of frame sequences (NumPy only), and the tf.data pipeline over them."""
