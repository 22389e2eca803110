"""Names of the weights in the 2019 TensorFlow 1 graphs."""

import re

import keras

from mim_tf.errors import MimError
from mim_tf.models import VideoPredictor
from mim_tf.weights.hdf5 import Arrays, first_difference

_NETWORKS = {
    **{"mim": "predrnn", "mim_star": "predrnn_pp"},
    **{"predrnn": "predrnn", "predrnn_pp": "predrnn_pp", "convlstm_net": "conv_lstm"},
}
"""Network -> its scope."""

# Cell -> its scope in layer {0}, above layer {1}. A Causal LSTM has another one in PredRNN++.
_SCOPES = {"mim_n": "stlstm_diff{1}", "gradient_highway": "highway", "conv_lstm": "lstm_{0}"}

# Convolution -> name of its kernel and bias, and of its norm where no other name follows.
_OF_ONE_MEMORY = {"from_input": "input_to_state", "from_hidden": "state_to_state"}
_OF_TWO_MEMORIES = {
    "from_input": "input_to_state",
    "from_hidden": "time_state_to_state",
    "from_memory": "spatio_state_to_state",
    "cell_reduce": "cell_reduce",
    "from_cell": "c2m",  # these two in a Causal LSTM alone
    "from_new_memory": "m_to_o",
}
_CAUSAL_NORMS = {"from_input": "x2c", "from_hidden": "h2c", "from_memory": "m2m"}
_TWO_MEMORIES = ("st_lstm", "mim_block", "causal_lstm", "mim_causal_block")
_PEEPHOLES = {"peephole_if": "c_t_weight", "peephole_o": "oc_weight"}
_NORM = {"norm/scale": "s", "norm/shift": "b"}


def tf1_name(path: str, model_name: str) -> str:
    """Return the TensorFlow 1 name of the weight with a Keras `path`.

    For example `mim_block_2/mim_s/from_hidden/norm/scale` of `mim` is
    `predrnn/stlstm_2/stlstm_2/state_to_states`. Source: 2019 code.

    Raises:
        MimError: if the 2019 code has no such network.
    """
    if model_name not in _NETWORKS:
        raise MimError(
            f"{model_name} is not a network of the 2019 code, which has: {', '.join(_NETWORKS)}."
        )
    network = _NETWORKS[model_name]
    if path.startswith("to_pixels/"):
        return path.replace("to_pixels", f"{network}/back_to_pixel")
    match = re.fullmatch(r"([a-z_]+?)(?:_(\d+))?/(.*)", path)
    assert match, path
    cell, layer, weight = match.groups()
    lstm = "cslstm_{0}" if model_name == "predrnn_pp" else "stlstm_{0}"
    scope = _SCOPES.get(cell, lstm).format(layer, int(layer or 1) - 1)
    if weight.startswith("mim_s/"):
        cell, scope, weight = "mim_s", f"{scope}/{scope}", weight.removeprefix("mim_s/")
    return f"{network}/{scope}/{_in_cell(cell, weight)}"


def _in_cell(cell: str, weight: str) -> str:
    if weight in _PEEPHOLES:
        return _PEEPHOLES[weight]
    convolution, part = weight.split("/", 1)
    name = (_OF_TWO_MEMORIES if cell in _TWO_MEMORIES else _OF_ONE_MEMORY)[convolution]
    if part not in _NORM:
        return f"{name}/{part}"
    norms = _CAUSAL_NORMS if "causal" in cell else {}
    return f"{norms.get(convolution, name)}{_NORM[part]}"


def tf1_variables(model: VideoPredictor) -> dict[str, keras.Variable]:
    """Return TensorFlow 1 name -> weight of `model`."""
    network = model.config.model_name
    return {tf1_name(weight.path, network): weight for weight in model.trainable_variables}


def assign_tf1_weights(model: VideoPredictor, weights: Arrays) -> None:
    """Assign TensorFlow 1 name -> array, exactly the weights of `model`.

    Raises:
        MimError: if names are left over on either side or a shape differs; `model` is unchanged.
    """
    variables = tf1_variables(model)
    if difference := first_difference(weights, variables):
        raise MimError(f"Expected the weights of the model, got others. {difference}")
    for name, variable in variables.items():
        variable.assign(weights[name])
