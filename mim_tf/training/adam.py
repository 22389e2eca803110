"""Adam as in the 2019 code."""

import keras
from keras import ops

from mim_tf.errors import MimError


@keras.saving.register_keras_serializable("mim_tf")
class AdamInsideRoot(keras.optimizers.Optimizer):
    """Adam with its epsilon inside the root.

        m' = beta_1 m + (1 - beta_1) g;  v' = beta_2 v + (1 - beta_2) g^2
        w' = w - learning_rate * (m' / (1 - beta_1^t)) / sqrt(v' / (1 - beta_2^t) + epsilon)

    Keras' Adam adds epsilon to the root, and to the uncorrected one. Source: 2019 code,
    `adam_updates`, with its values as defaults.

    Args:
        learning_rate: a float or a Keras schedule.
        beta_1, beta_2: decay of the two moments.
        epsilon: added to the corrected second moment.
        skip_nonfinite: leave out updates whose gradients are not all finite, but for their count.
        **kwargs: as for every Keras optimizer, `use_ema` among them.

    Attributes:
        gradient_norm: of the last update over all weights, before any clipping; of a mirrored
            strategy of TensorFlow that of the first device's share. It is not saved.
    """

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
        """Those that the next update depends on: all but the gradient's norm."""
        return [v for v in self.variables if v is not getattr(self, "gradient_norm", None)]

    def save_own_variables(self, store):
        for number, variable in enumerate(self.saved_variables):
            store[str(number)] = variable.numpy()

    def load_own_variables(self, store):
        variables = self.saved_variables
        if len(store.keys()) != len(variables):
            raise MimError(
                f"Expected the state of {self.name} with {len(variables)} variables, received "
                f"{len(store.keys())}. Compile the model as it was compiled when this was saved."
            )
        for number, variable in enumerate(variables):
            variable.assign(store[str(number)])

    def apply(self, grads, trainable_variables=None):
        # Both corrections once an update; once a variable, they would be a third of the graph.
        dtype = (trainable_variables or self._trainable_variables)[0].dtype
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
        self.build(trainable_variables or self._trainable_variables)
        weights = self._trainable_variables
        others = [v for v in self.saved_variables if v is not self.iterations]
        variables = [*weights, *others]
        before = [ops.copy(ops.convert_to_tensor(variable)) for variable in variables]
        super().apply(grads, trainable_variables)
        finite = all_finite(grads)
        for variable, value in zip(variables, before, strict=True):
            variable.assign(ops.where(finite, ops.convert_to_tensor(variable), value))
        if self.use_ema:  # the first update makes them the weights, and may be left out
            begun = ops.logical_or(finite, self.iterations > 1)
            for weight, average in zip(weights, self.averages, strict=True):
                values = map(ops.convert_to_tensor, (average, weight))
                average.assign(ops.where(begun, *values))

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        first, second = self.first[index], self.second[index]
        self.assign_add(first, (gradient - first) * (1 - self.beta_1))
        self.assign_add(second, (ops.square(gradient) - second) * (1 - self.beta_2))
        self.assign_sub(variable, self._rate * first * ops.rsqrt(second + self._epsilon))

    def _update_model_variables_moving_average(self, trainable_variables):
        # As Keras', which works out the momentum, 0 in the first update, once a variable: with
        # those, the optimizer would be half as large again, and slower to trace.
        pull = 1 - self.ema_momentum * ops.cast(self.iterations > 0, trainable_variables[0].dtype)
        for variable, average in zip(trainable_variables, self.averages, strict=True):
            self.assign_add(average, (variable - average) * pull)

    @property
    def averages(self):
        """The moving averages of the weights, variables in their order; needs `use_ema`."""
        return self._model_variables_moving_average

    def finalize_variable_values(self, var_list):
        """Leaves the weights as they are: Keras would end `fit` with their averages."""

    def get_config(self):
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "skip_nonfinite": self.skip_nonfinite,
        }


def all_finite(tensors):
    """Whether all of `tensors` are finite, as a tensor of one bool."""
    return ops.all(ops.stack([ops.all(ops.isfinite(tensor)) for tensor in tensors]))


def global_norm(tensors):
    """The root of the sum of all squares, float32; a tensor that is None counts as 0."""
    squares = [ops.sum(ops.square(ops.cast(x, "float32"))) for x in tensors if x is not None]
    return ops.sqrt(sum(squares))
