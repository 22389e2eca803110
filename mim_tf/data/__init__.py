"""Sources of frame sequences (NumPy only), and the data sets of batches made of them."""
