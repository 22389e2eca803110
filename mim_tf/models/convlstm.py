"""ConvLSTM, one time step."""

import keras

from mim_tf.config import ModelConfig
from mim_tf.layers import PeepholeConvLSTMCell
from mim_tf.models.registry import register_network
from mim_tf.models.step import (
    cell_settings,
    frame_input,
    state_inputs,
    step_model,
    to_frame,
    to_patches,
)


@register_network("convlstm_net", scheduled_sampling=False)
def convlstm_step(config: ModelConfig) -> keras.Model:
    """ConvLSTM: a peephole ConvLSTM in every layer.

    After the context it is fed its own output in training, too, unless the training's
    configuration sets `scheduled_sampling`.

    States: h and c of each layer, all `[B, H/p, W/p, n]`.

    Source: ConvLSTM (NeurIPS 2015); 2019 code, `convlstm_net.py`.
    """
    layers = range(1, config.num_layers + 1)
    frame = frame_input(config)
    old = state_inputs(config, [f"{state}{i}" for i in layers for state in "hc"])
    new = {}
    x = to_patches(config, frame)
    for i in layers:
        x, (new[f"h{i}"], new[f"c{i}"]) = PeepholeConvLSTMCell(
            **cell_settings(config), name=f"conv_lstm_{i}"
        )(x, [old[f"h{i}"], old[f"c{i}"]])
    return step_model(frame, to_frame(config, x), old, new, "convlstm_step")
