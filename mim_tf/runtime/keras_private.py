"""All private names of Keras that mim_tf uses, each because no public name does the same.

tests/test_keras_private.py tests each function, so that a new version of Keras cannot break one
silently.
"""

from collections.abc import Sequence

import keras


def layers_inside(layer: keras.Layer, recursive: bool = True) -> list[keras.Layer]:
    """Return the layers inside `layer`; the public `layers` omits the layers inside a cell."""
    return list(layer._flatten_layers(recursive=recursive, include_self=False))


def uses_cached_data(arguments: dict) -> bool:
    """Return whether `fit` calls `evaluate` again with data it has checked already.

    No public argument tells a validation inside `fit` from a call by the user.
    """
    return bool(arguments.get("_use_cached_eval_dataset"))


class PrivateOptimizer(keras.optimizers.Optimizer):
    """Public names for the parts of an optimizer that Keras keeps private."""

    def position(self, variable) -> int:
        """Return the index of `variable` among the trained variables.

        Under a distribution strategy, `update_step` gets variables that only Keras can look up.
        """
        return self._get_variable_index(variable)

    @property
    def trained(self) -> Sequence:
        """Return the trained variables; `variables` holds the optimizer's own variables only."""
        return self._trainable_variables

    @property
    def averages(self) -> Sequence:
        """Return the moving averages of the trained variables, in order; needs `use_ema`.

        Keras only offers to overwrite the weights with the averages.
        """
        return self._model_variables_moving_average

    def update_averages(self, variables) -> None:
        """Update the moving averages after an update of `variables`."""
        super()._update_model_variables_moving_average(variables)

    def _update_model_variables_moving_average(self, trainable_variables):
        # The only hook between an update and the end of `apply`.
        self.update_averages(trainable_variables)
