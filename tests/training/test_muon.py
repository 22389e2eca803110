import keras
import numpy as np
import pytest

from mim_tf.training.optimizers import AdamInsideRoot, Muon, orthogonal

RANDOM = np.random.default_rng(0)


def numpy_orthogonal(matrix):
    """The iteration as its authors write it, in double precision."""
    x = matrix / np.linalg.norm(matrix)
    for _ in range(5):
        square = x.T @ x
        x = 3.4445 * x + x @ (-4.7750 * square + 2.0315 * square @ square)
    return x


def with_singular_values(rows, values):
    left, _ = np.linalg.qr(RANDOM.normal(size=(rows, len(values))))
    right, _ = np.linalg.qr(RANDOM.normal(size=(len(values), len(values))))
    return (left * values) @ right


@pytest.mark.parametrize("decades", [0, 1, 2])
def test_orthogonal_equals_the_oracle(decades):
    matrices = [with_singular_values(200, np.logspace(0, -decades, 16)) for _ in range(3)]
    got = orthogonal(keras.ops.convert_to_tensor(np.float32(matrices)))
    np.testing.assert_allclose(got, [numpy_orthogonal(each) for each in matrices], atol=2e-4)


def singular_values(values):
    matrix = np.float32(with_singular_values(50, np.array(values)))
    return np.linalg.svd(orthogonal(matrix[None])[0], compute_uv=False)


def test_singular_values_near_one():
    got = singular_values([1, 0.5, 0.3, 0.1, 0.02])
    assert got.min() > 0.68
    assert got.max() < 1.21


def test_rounding_is_not_magnified():
    assert singular_values(np.logspace(0, -9, 16)).max() < 1.21


def test_nothing_is_divided_by_zero():
    np.testing.assert_array_equal(orthogonal(np.zeros((2, 6, 3), np.float32)), 0)


def numpy_muon(kernel, gradients, filters, rate, momentum):
    moment = 0
    for gradient in gradients:
        moment = momentum * moment + gradient
        step = np.empty_like(kernel)
        for first in range(0, kernel.shape[-1], filters):
            gate = (gradient + momentum * moment)[..., first : first + filters]
            matrix = numpy_orthogonal(gate.reshape(-1, filters))
            step[..., first : first + filters] = matrix.reshape(gate.shape)
        kernel = kernel - rate * step
    return kernel


def test_gates_have_steps_of_their_own():
    kernel = RANDOM.normal(size=(3, 3, 5, 8))
    # Gates with gradients of very different size.
    scale = np.repeat([1e-3, 100], 4)
    gradients = [RANDOM.normal(size=kernel.shape) * scale for _ in range(3)]
    variable = keras.Variable(np.float32(kernel))
    optimizer = Muon(0.01, gate_filters=4, kernel_rate=3.0, momentum=0.9)
    for gradient in gradients:
        optimizer.apply([np.float32(gradient)], [variable])
    expected = numpy_muon(kernel, gradients, 4, 0.03, 0.9)
    np.testing.assert_allclose(variable, expected, rtol=0, atol=1e-4)


def test_other_weights_follow_adam():
    # A bias, a peephole weight, a 1x1 kernel, and a kernel of no whole number of gates.
    shapes = [(8,), (6, 6, 8), (1, 1, 5, 8), (3, 3, 5, 6)]
    values = [np.float32(RANDOM.normal(size=shape)) for shape in shapes]
    settings = {"learning_rate": 0.02, "beta_1": 0.8, "beta_2": 0.9}
    results = []
    for optimizer in (Muon(gate_filters=4, **settings), AdamInsideRoot(**settings)):
        variables = [keras.Variable(value) for value in values]
        for scale in (1, -0.5, 2):
            optimizer.apply([np.float32(scale * value) for value in values], variables)
        results.append(variables)
    for muon, adam in zip(*results, strict=True):
        np.testing.assert_array_equal(muon, adam)


def test_configuration_round_trip():
    optimizer = Muon(0.01, gate_filters=4, kernel_rate=3.0, momentum=0.9, beta_1=0.7, beta_2=0.8)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert again.get_config() == optimizer.get_config()
    assert again.gate_filters == 4
