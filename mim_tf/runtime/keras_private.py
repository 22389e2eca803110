"""All private names of Keras that mim_tf uses, each because no public name does the same.

tests/test_keras_private.py tests each function, so that a new version of Keras cannot break one
silently.
"""

import io
from collections.abc import Collection, Sequence

import keras
import numpy as np
from keras.src.saving import saving_lib


def layers_inside(layer: keras.Layer, recursive: bool = True) -> list[keras.Layer]:
    """Return the layers inside `layer`; the public `layers` omits the layers inside a cell."""
    return list(layer._flatten_layers(recursive=recursive, include_self=False))


def uses_cached_data(arguments: dict) -> bool:
    """Return whether `fit` calls `evaluate` again with data it has checked already.

    No public argument tells a validation inside `fit` from a call by the user.
    """
    return bool(arguments.get("_use_cached_eval_dataset"))


class WeightsFile(saving_lib.H5IOStore):
    """An HDF5 file in memory as Keras' `save_weights` writes it; the public method needs a path.

    Args:
        saved: model or layer to save.
        path: its group in the file.
        half: whether floating-point numbers are rounded to float16.
        leave_out: parts of `saved` that are not saved.

    Attributes:
        variables: key in the file -> variable.
    """

    def __init__(self, saved, path: str = "", half: bool = False, leave_out: Collection = ()):
        self._half = half
        self.variables: dict[str, keras.Variable] = {}
        super().__init__(io.BytesIO(), mode="w")
        saving_lib._save_state(saved, self, None, path, {id(each) for each in leave_out})

    def __setitem__(self, key, value):
        self.variables[f"{self._h5_entry_path}/vars/{key}"] = value
        values = keras.ops.convert_to_numpy(value)
        super().__setitem__(
            key, np.float16(values) if self._half and values.dtype.kind == "f" else values
        )

    def content(self, **attributes) -> memoryview:
        """Return the bytes of the file with these attributes; close the file."""
        self.h5_file.attrs.update(attributes)
        self.close()
        return self.path_or_io.getbuffer()


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
