"""PredRNN++, one time step."""

import keras

from mim_tf.config import ModelConfig
from mim_tf.layers import CausalLSTMCell, GradientHighway
from mim_tf.models.registry import register_network
from mim_tf.models.step import (
    cell_settings,
    frame_input,
    state_inputs,
    step_model,
    to_frame,
    to_patches,
)


@register_network("predrnn_pp", min_layers=2)
def predrnn_pp_step(config: ModelConfig) -> keras.Model:
    """PredRNN++: a Causal LSTM in every layer, a gradient highway between layers 1 and 2.

    The spatial memory m enters layer 1 from the top layer of the step before and is handed
    upwards, past the highway.

    States: m, z (of the highway), and h and c of each layer, all `[B, H/p, W/p, n]`.

    Source: PredRNN++ (ICML 2018); 2019 code, `predrnn_pp.py`.
    """
    cell = cell_settings(config)
    layers = range(1, config.num_layers + 1)
    frame = frame_input(config)
    old = state_inputs(config, ["m", "z", *(f"{state}{i}" for i in layers for state in "hc")])
    new = {}
    x, m = to_patches(config, frame), old["m"]
    for i in layers:
        x, (new[f"h{i}"], new[f"c{i}"], m) = CausalLSTMCell(**cell, name=f"causal_lstm_{i}")(
            x, [old[f"h{i}"], old[f"c{i}"], m]
        )
        if i == 1:
            x, (new["z"],) = GradientHighway(**cell, name="gradient_highway")(x, [old["z"]])
    return step_model(frame, to_frame(config, x), old, new | {"m": m}, "predrnn_pp_step")
