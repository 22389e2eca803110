"""Muon for the kernels of gates, Adam for the rest."""

import keras
from keras import ops

from mim_tf.training.adam import AdamInsideRoot

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
STEPS = 5


@keras.saving.register_keras_serializable("mim_tf")
class Muon(AdamInsideRoot):
    """Muon on the kernels of gates; `AdamInsideRoot` on biases, norms, peepholes and 1x1 kernels.

    A convolution computes several gates at once. The kernel of each of them, `[k, k, C, n]`, is
    taken as a matrix `[k k C, n]`, and steps are nearly orthogonal: all its singular values
    change at the same pace, where those of Adam leave most directions behind.

        m' = momentum m + g
        w' = w - kernel_rate * learning_rate * orthogonal(g + momentum m')

    `orthogonal` is five steps of a Newton-Schulz iteration, see there. Keras' own Muon leaves
    kernels of convolutions to AdamW. Source: Jordan et al., "Muon: an optimizer for hidden layers
    in neural networks", 2024.

    Args:
        learning_rate: a float or a Keras schedule; as it is for Adam's weights.
        gate_filters: output channels n of one gate.
        kernel_rate: the kernels' rate in units of `learning_rate`.
        momentum: of the kernels.
        beta_1, beta_2: of Adam.
        **kwargs: as for `AdamInsideRoot`.
    """

    def __init__(
        self,
        learning_rate=2e-3,
        gate_filters=64,
        kernel_rate=5.0,
        momentum=0.95,
        beta_1=0.9,
        beta_2=0.99,
        name="muon",
        **kwargs,
    ):
        super().__init__(learning_rate, beta_1, beta_2, name=name, **kwargs)
        self.gate_filters = gate_filters
        self.kernel_rate = kernel_rate
        self.momentum = momentum

    def update_step(self, gradient, variable, learning_rate):
        if not self.is_gate_kernel(variable):
            super().update_step(gradient, variable, learning_rate)
            return
        momentum = self.first[self._get_variable_index(variable)]
        self.assign(momentum, momentum * self.momentum + gradient)
        direction = self._orthogonal_gates(gradient + momentum * self.momentum)
        rate = ops.cast(learning_rate, variable.dtype) * self.kernel_rate
        self.assign_sub(variable, rate * direction)

    def is_gate_kernel(self, variable) -> bool:
        """Whether `variable` is the kernel of a convolution of whole gates, larger than 1x1."""
        shape = variable.shape
        return len(shape) == 4 and shape[0] > 1 and shape[-1] % self.gate_filters == 0

    def _orthogonal_gates(self, kernel):
        # The gates as a batch of matrices.
        matrices = ops.reshape(
            kernel, (-1, kernel.shape[-1] // self.gate_filters, self.gate_filters)
        )
        matrices = orthogonal(ops.transpose(matrices, (1, 0, 2)))
        return ops.reshape(ops.transpose(matrices, (1, 0, 2)), kernel.shape)

    def get_config(self):
        return {
            **super().get_config(),
            "gate_filters": self.gate_filters,
            "kernel_rate": self.kernel_rate,
            "momentum": self.momentum,
        }


def orthogonal(matrices):
    """Matrices with the singular vectors of `matrices`, and singular values near 1.

        X = G / |G|;  five times:  X' = X (a + b X^T X + c (X^T X)^2)

    with |G| Frobenius' norm and a, b, c = 3.4445, -4.7750, 2.0315. Singular values above 0.01 of
    |G| end between 0.68 and 1.21.

    Args:
        matrices: `[gates, rows, columns]`, best with more rows than columns.
    """
    a, b, c = COEFFICIENTS
    norm = ops.sqrt(ops.sum(ops.square(matrices), axis=(1, 2), keepdims=True))
    matrices = matrices / (norm + 1e-12)
    # Every X is G times a polynomial of G^T G, so that the iteration needs only small square
    # matrices. Rounding shows in singular values below a hundredth of |G|.
    square = ops.matmul(ops.transpose(matrices, (0, 2, 1)), matrices)
    identity = ops.eye(matrices.shape[-1], dtype=matrices.dtype)
    product = identity
    for _ in range(STEPS):
        factor = a * identity + b * square + c * ops.matmul(square, square)
        product = ops.matmul(product, factor)
        square = ops.matmul(ops.matmul(factor, square), factor)
    return ops.matmul(matrices, product)
