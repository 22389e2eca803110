"""MIM*, one time step."""

import keras

from mim_tf.config import ModelConfig
from mim_tf.layers import CausalLSTMCell, GradientHighway, MIMCausalBlock
from mim_tf.models.mim_layers import mim_layers, mim_state_inputs
from mim_tf.models.predrnn_pp import predrnn_pp_step
from mim_tf.models.registry import register_network
from mim_tf.models.step import cell_settings, frame_input, step_model, to_frame, to_patches


@register_network("mim_star", ablations=True, min_layers=2)
def mim_star_step(config: ModelConfig) -> keras.Model:
    """MIM*: a Causal LSTM, a gradient highway, and MIM-Causal blocks with a MIM-N each.

    Layer 2 is fed z', the output of the highway, and its MIM-N `z(t) - z(t-1)`. All else is as in
    MIM, the spatial memory, the first frame and the ablations too; without MIM-S the network is
    PredRNN++.

    States: `started` (0 at the first frame, then 1), m, z, and for each layer l h, c, and, from
    layer 2, s (of MIM-S), d and n (of MIM-N), all but `started` `[B, H/p, W/p, n]`.

    Source: 2019 code, `mim_pp.py`.
    """
    if not config.mim_s:
        return predrnn_pp_step(config)
    cell = cell_settings(config)
    frame = frame_input(config)
    old = mim_state_inputs(config, ["m", "h1", "c1", "z"])
    h1, (_, c1, m) = CausalLSTMCell(**cell, name="causal_lstm_1")(
        to_patches(config, frame), [old["h1"], old["c1"], old["m"]]
    )
    z, _ = GradientHighway(**cell, name="gradient_highway")(h1, [old["z"]])
    top, new = mim_layers(config, MIMCausalBlock, "mim_causal_block", (z, z - old["z"], m), old)
    new |= {"h1": h1, "c1": c1, "z": z}
    return step_model(frame, to_frame(config, top), old, new, "mim_star_step")
