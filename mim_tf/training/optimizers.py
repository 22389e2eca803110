"""Optimizers and learning rate schedules of a training, and its first biases."""

import keras
import numpy as np
from keras import ops

from mim_tf.config import TrainingConfig
from mim_tf.errors import MimError
from mim_tf.runtime.keras_private import PrivateOptimizer
from mim_tf.training.losses import half_squared_error, loss_for


@keras.saving.register_keras_serializable("mim_tf")
class AdamInsideRoot(PrivateOptimizer):
    """Adam with epsilon inside the root.

        m' = beta_1 m + (1 - beta_1) g;  v' = beta_2 v + (1 - beta_2) g^2
        w' = w - learning_rate * (m' / (1 - beta_1^t)) / sqrt(v' / (1 - beta_2^t) + epsilon)

    Keras' Adam adds epsilon to the root of the uncorrected moment. Source and defaults: 2019 code,
    `adam_updates`.

    Arguments are those of Keras' Adam. `skip_nonfinite` skips updates whose gradients are not all
    finite; skipped updates still count.

    Attributes:
        gradient_norm: norm of the last update's gradient over all weights, before clipping. With
            TensorFlow's mirrored strategy, the first device's share only. Not saved.
    """

    _settings: tuple[str, ...] = ("beta_1", "beta_2", "epsilon", "skip_nonfinite")

    def __init__(
        self,
        learning_rate=1e-3,
        beta_1=0.95,
        beta_2=0.9995,
        epsilon=1e-8,
        skip_nonfinite=False,
        name="adam_inside_root",
        **kwargs,
    ):
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.skip_nonfinite = skip_nonfinite

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.first, self.second = self.add_optimizer_variables(
            variables, ["first_moment", "second_moment"]
        )
        self.gradient_norm = self.add_variable(
            (), name="gradient_norm", aggregation="only_first_replica"
        )

    @property
    def saved_variables(self):
        """Return the variables the next update depends on: all except the gradient's norm."""
        return [v for v in self.variables if v is not getattr(self, "gradient_norm", None)]

    def save_own_variables(self, store):
        for number, variable in enumerate(self.saved_variables):
            store[str(number)] = variable.numpy()

    def load_own_variables(self, store):
        variables = self.saved_variables
        if len(store.keys()) != len(variables):
            raise MimError(
                f"{self.name}: expected {len(variables)} variables, got {len(store.keys())}. "
                "Compile the model as when the state was saved."
            )
        for number, variable in enumerate(variables):
            variable.assign(store[str(number)])

    def apply(self, grads, trainable_variables=None):
        # Both corrections once per update. Once per variable, they would be a third of the graph.
        dtype = (trainable_variables or self.trained)[0].dtype
        step = ops.cast(self.iterations + 1, dtype)
        second = 1 - ops.power(self.beta_2, step)
        rate = ops.cast(self.learning_rate, dtype)
        self._rate = rate * ops.sqrt(second) / (1 - ops.power(self.beta_1, step))
        self._epsilon = self.epsilon * second
        if self.skip_nonfinite:
            self._apply_if_finite(grads, trainable_variables)
        else:
            super().apply(grads, trainable_variables)
        self.gradient_norm.assign(global_norm(grads))

    def _apply_if_finite(self, grads, trainable_variables):
        """Apply the update, then restore all values if a gradient was not finite.

        A condition around the update would not work in Keras' loops on both backends.
        """
        self.build(trainable_variables or self.trained)
        variables = [*self.trained, *(v for v in self.saved_variables if v is not self.iterations)]
        before = [ops.copy(ops.convert_to_tensor(variable)) for variable in variables]
        super().apply(grads, trainable_variables)
        finite = all_finite(grads)
        for variable, value in zip(variables, before, strict=True):
            variable.assign(ops.where(finite, ops.convert_to_tensor(variable), value))
        if self.use_ema:
            # The first update starts the averages at the weights. If it was skipped, the restored
            # averages are zeros and have to start at the weights here.
            begun = ops.logical_or(finite, self.iterations > 1)
            for weight, average in zip(self.trained, self.averages, strict=True):
                values = map(ops.convert_to_tensor, (average, weight))
                average.assign(ops.where(begun, *values))

    def update_step(self, gradient, variable, learning_rate):
        index = self.position(variable)
        first, second = self.first[index], self.second[index]
        self.assign_add(first, (gradient - first) * (1 - self.beta_1))
        self.assign_add(second, (ops.square(gradient) - second) * (1 - self.beta_2))
        self.assign_sub(variable, self._rate * first * ops.rsqrt(second + self._epsilon))

    def update_averages(self, variables):
        # Keras computes the momentum (0 in the first update) once per variable, which makes the
        # optimizer half as large again, and slower to trace.
        pull = 1 - self.ema_momentum * ops.cast(self.iterations > 0, variables[0].dtype)
        for variable, average in zip(variables, self.averages, strict=True):
            self.assign_add(average, (variable - average) * pull)

    def finalize_variable_values(self, var_list):
        """Keep the weights; Keras would overwrite them with their averages at the end of `fit`."""

    def get_config(self):
        return super().get_config() | {name: getattr(self, name) for name in self._settings}


def all_finite(tensors):
    """Return whether all `tensors` are finite, as a tensor of one bool; None counts as finite."""
    known = [tensor for tensor in tensors if tensor is not None]
    return ops.all(ops.stack([ops.all(ops.isfinite(tensor)) for tensor in known]))


def global_norm(tensors):
    """Return the norm over all `tensors` in float32; None counts as 0."""
    squares = [ops.sum(ops.square(ops.cast(x, "float32"))) for x in tensors if x is not None]
    return ops.sqrt(sum(squares))


@keras.saving.register_keras_serializable("mim_tf")
class Muon(AdamInsideRoot):
    """Muon on the kernels of gates; `AdamInsideRoot` on biases, norms, peepholes and 1x1 kernels.

    A convolution computes several gates at once. The kernel of each gate, `[k, k, C, n]`, is used
    as a matrix `[k k C, n]`, and its update is nearly orthogonal: all singular values change at the
    same rate. Adam changes few directions much faster than the rest.

        m' = momentum m + g
        w' = w - kernel_rate * learning_rate * orthogonal(g + momentum m')

    `orthogonal` is a Newton-Schulz iteration, see there. Keras' Muon uses AdamW for kernels of
    convolutions. Source: Jordan et al., "Muon: an optimizer for hidden layers in neural networks",
    2024.

    Args:
        gate_filters: output channels n of a gate.
        kernel_rate: the kernels' learning rate, as a factor of `learning_rate`.
        momentum: momentum of the kernels.
        **kwargs: arguments of `AdamInsideRoot`; the learning rate of Adam's weights is not changed.
    """

    _settings = (*AdamInsideRoot._settings, "gate_filters", "kernel_rate", "momentum")

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
        momentum = self.first[self.position(variable)]
        self.assign(momentum, momentum * self.momentum + gradient)
        direction = self._orthogonal_gates(gradient + momentum * self.momentum)
        rate = ops.cast(learning_rate, variable.dtype) * self.kernel_rate
        self.assign_sub(variable, rate * direction)

    def is_gate_kernel(self, variable) -> bool:
        """Return whether `variable` is a kernel of whole gates, larger than 1x1."""
        shape = variable.shape
        return len(shape) == 4 and shape[0] > 1 and shape[-1] % self.gate_filters == 0

    def _orthogonal_gates(self, kernel):
        # [k, k, C, gates * n] -> [gates, k k C, n]: one matrix per gate.
        matrices = ops.reshape(
            kernel, (-1, kernel.shape[-1] // self.gate_filters, self.gate_filters)
        )
        matrices = orthogonal(ops.transpose(matrices, (1, 0, 2)))
        return ops.reshape(ops.transpose(matrices, (1, 0, 2)), kernel.shape)


def orthogonal(matrices):
    """Return matrices with the singular vectors of `matrices` and singular values near 1.

        X = G / |G|;  five times:  X' = X (a + b X^T X + c (X^T X)^2)

    |G| is the Frobenius norm. Singular values above 0.01 |G| end between 0.68 and 1.21.

    Args:
        matrices: `[gates, rows, columns]`, cheapest with more rows than columns.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    norm = ops.sqrt(ops.sum(ops.square(matrices), axis=(1, 2), keepdims=True))
    matrices = matrices / (norm + 1e-12)
    # Every X is G times a polynomial in G^T G. So the loop multiplies only small square matrices
    # and G is multiplied once. Rounding affects only singular values below 0.01 |G|.
    square = ops.matmul(ops.transpose(matrices, (0, 2, 1)), matrices)
    identity = ops.eye(matrices.shape[-1], dtype=matrices.dtype)
    product = identity
    for _ in range(5):
        factor = a * identity + b * square + c * ops.matmul(square, square)
        product = ops.matmul(product, factor)
        square = ops.matmul(ops.matmul(factor, square), factor)
    return ops.matmul(matrices, product)


def compile_for_training(
    model,
    learning_rate=1e-3,
    optimizer: keras.optimizers.Optimizer | None = None,
    loss: str = "l2",
) -> None:
    """Compile `model` with a loss, and the metric `loss_per_sequence`, half the squared error.

    Args:
        model: a `VideoPredictor`.
        learning_rate: a number or a Keras schedule, for the optimizer of the 2019 code with its
            moving average of the weights.
        optimizer: used instead of the optimizer of the 2019 code.
        loss: "l2" (2019 code), "l1+l2", "balanced" or "half_balanced", see `loss_for`.
    """
    if optimizer is None:
        optimizer = AdamInsideRoot(learning_rate, use_ema=True, ema_momentum=0.9995)
    model.compile(
        optimizer=optimizer,
        loss=loss_for(loss, model.config.scale),
        metrics=[keras.metrics.MeanMetricWrapper(half_squared_error, name="loss_per_sequence")],
    )
    # If the optimizer were built later, Keras would trace the training step twice.
    model.optimizer.build(model.trainable_variables)


def make_optimizer(config: TrainingConfig, filters: int) -> keras.optimizers.Optimizer:
    """Return the optimizer of `config`; `filters` are the channels of a layer of the network."""
    updates = config.updates_per_iteration
    whole = config.max_iterations * updates
    warmup = min(config.warmup_iterations * updates, whole // 2)  # of a run that short
    settings = {
        "learning_rate": learning_rate(config.lr_schedule, config.lr, warmup, whole),
        "beta_1": config.beta_1,
        "beta_2": config.beta_2,
        "global_clipnorm": config.clip_norm or None,
        "skip_nonfinite": config.on_nan == "skip",
        "use_ema": True,
        "ema_momentum": 0.9995,
    }
    if config.optimizer == "muon":
        return Muon(gate_filters=filters, momentum=config.momentum, **settings)
    return AdamInsideRoot(**settings)


@keras.saving.register_keras_serializable("mim_tf")
class WarmupStableDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Learning rate that rises linearly, stays, and falls linearly to 0 over the last fifth.

    The length of a run can be decided late. Train at the peak with a large `updates`; then resume
    with `updates` a quarter above the updates done, and the rate falls from there. Source: Hu et
    al., "MiniCPM", 2024.

    Args:
        peak: largest rate.
        warmup: updates over which the rate rises.
        updates: updates of the whole run.
    """

    def __init__(self, peak: float, warmup: int, updates: int):
        self.peak = peak
        self.warmup = warmup
        self.updates = updates

    def __call__(self, step):
        step = ops.cast(step, "float32")
        rise = (step + 1) / max(self.warmup, 1)
        fall = (self.updates - step) / (0.2 * self.updates)
        return self.peak * ops.clip(ops.minimum(rise, fall), 0.0, 1.0)

    def get_config(self):
        return {"peak": self.peak, "warmup": self.warmup, "updates": self.updates}


def learning_rate(schedule: str, peak: float, warmup: int, updates: int):
    """Return a number or a Keras schedule.

    `schedule` is "constant", "cosine" (falls to 0 along half a cosine) or "wsd", see
    `WarmupStableDecay`. In `warmup` of the `updates` the rate rises linearly from 0 to `peak`.
    """
    if schedule == "wsd":
        return WarmupStableDecay(peak, warmup, updates)
    if schedule == "cosine":
        return keras.optimizers.schedules.CosineDecay(
            0.0 if warmup else peak,
            decay_steps=max(updates - warmup, 1),
            warmup_target=peak if warmup else None,
            warmup_steps=warmup,
        )
    if warmup:
        return keras.optimizers.schedules.PolynomialDecay(0.0, warmup, end_learning_rate=peak)
    return peak


def draw_biases(model, bound: float, seed: int) -> None:
    """Draw the biases of all convolutions of `model` uniformly from -bound to bound; 0: keep them.

    The 2019 code starts with zero biases. There an empty frame leaves all states exactly zero, an
    unstable fixed point: layer norm multiplies by up to `1 / sqrt(epsilon)`, 316, in each layer and
    frame. Gradients through a few empty frames overflow. Biases of 0.001 are enough to keep
    gradients as large as without empty frames.
    """
    random = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        if bound and variable.name == "bias":
            variable.assign(random.uniform(-bound, bound, variable.shape))
