"""PredRNN, one time step."""

import keras

from mim_tf.config import ModelConfig
from mim_tf.layers import STLSTMCell
from mim_tf.models.registry import register_network
from mim_tf.models.step import (
    cell_settings,
    frame_input,
    state_inputs,
    step_model,
    to_frame,
    to_patches,
)


@register_network("predrnn")
def predrnn_step(config: ModelConfig) -> keras.Model:
    """PredRNN: an ST-LSTM in every layer.

    The spatial memory m enters layer 1 from the top layer of the step before and is handed
    upwards.

    States: m, and h and c of each layer, all `[B, H/p, W/p, n]`.

    Source: PredRNN (NeurIPS 2017); 2019 code, `predrnn.py`.
    """
    layers = range(1, config.num_layers + 1)
    frame = frame_input(config)
    old = state_inputs(config, ["m", *(f"{state}{i}" for i in layers for state in "hc")])
    new = {}
    x, m = to_patches(config, frame), old["m"]
    for i in layers:
        x, (new[f"h{i}"], new[f"c{i}"], m) = STLSTMCell(
            **cell_settings(config), name=f"st_lstm_{i}"
        )(x, [old[f"h{i}"], old[f"c{i}"], m])
    return step_model(frame, to_frame(config, x), old, new | {"m": m}, "predrnn_step")
