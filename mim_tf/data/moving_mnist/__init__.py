"""Moving MNIST: generated, in grey and in colour, and the released files."""
