"""Names of the weights in the 2019 TensorFlow 1 graph."""

import re
from collections.abc import Mapping

import numpy as np

from mim_tf.errors import MimError

_CELLS = {"st_lstm": "stlstm_{0}", "mim_block": "stlstm_{0}", "mim_n": "stlstm_diff{1}"}
_PEEPHOLES = {"peephole_if": "c_t_weight", "peephole_o": "oc_weight"}
_GATES = {
    "from_input": "input_to_state",
    "from_hidden": "time_state_to_state",
    "from_memory": "spatio_state_to_state",
    "cell_reduce": "cell_reduce",
}
_WEIGHTS = {"kernel": "/kernel", "bias": "/bias", "norm/scale": "s", "norm/shift": "b"}


def tf1_name(path: str) -> str:
    """The TensorFlow 1 name of the weight with a Keras `path`.

    For example `mim_block_2/mim_s/from_hidden/norm/scale` is
    `predrnn/stlstm_2/stlstm_2/state_to_states`. Source: 2019 code.
    """
    if path.startswith("to_pixels/"):
        return path.replace("to_pixels", "predrnn/back_to_pixel")
    cell, layer, rest = re.fullmatch(r"(\w+)_(\d+)/(.*)", path).groups()
    scope = _CELLS[cell].format(layer, int(layer) - 1)
    if rest.startswith("mim_s/"):
        scope, rest = f"{scope}/{scope}", rest.removeprefix("mim_s/")
    if rest in _PEEPHOLES:
        return f"predrnn/{scope}/{_PEEPHOLES[rest]}"
    gates, weight = rest.split("/", 1)
    name = _GATES[gates]
    if gates == "from_hidden" and (cell == "mim_n" or "/" in scope):
        name = "state_to_state"
    return f"predrnn/{scope}/{name}{_WEIGHTS[weight]}"


def assign_tf1_weights(model, weights: Mapping[str, np.ndarray]) -> None:
    """Gives `model` the values of a 2019 graph.

    Args:
        model: a `VideoPredictor`.
        weights: TensorFlow 1 name -> array, exactly those of the model.

    Raises:
        MimError: if names are left over on either side, or a shape differs; the model is then as
            it was.
    """
    variables = {tf1_name(variable.path): variable for variable in model.trainable_variables}
    missing, unknown = sorted(set(variables) - set(weights)), sorted(set(weights) - set(variables))
    if missing or unknown:
        raise MimError(
            "The weights belong to another architecture. "
            f"Expected but not found: {', '.join(missing) or 'none'}. "
            f"Found but not expected: {', '.join(unknown) or 'none'}."
        )
    for name, variable in variables.items():
        if tuple(variable.shape) != np.shape(weights[name]):
            raise MimError(
                f"{name}: expected shape {tuple(variable.shape)}, received "
                f"{np.shape(weights[name])}: the weights belong to another architecture."
            )
    for name, variable in variables.items():
        variable.assign(weights[name])
