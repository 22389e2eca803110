"""Moving MNIST, grey and colour-changing: generated, or from files."""
