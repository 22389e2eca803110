"""Memory In Memory, one time step."""

import keras
from keras import ops

from mim_tf.config import ModelConfig
from mim_tf.layers import MIMN, DepthToSpace, GateConvolution, MIMBlock, SpaceToDepth, STLSTMCell
from mim_tf.models.registry import register_network
from mim_tf.models.step import frame_input, state_inputs, step_model


@register_network("mim")
def mim_step(config: ModelConfig) -> keras.Model:
    """MIM: an ST-LSTM below, MIM blocks above, each block with a MIM-N of its own.

    The spatial memory m enters layer 1 from the top layer of the step before and is handed
    upwards. MIM-N of layer 2 gets `H1(t) - H1(t-1)`; MIM-N of layer l > 2 gets D' of the MIM-N
    below, as in the 2019 code (the paper: `H(l-1, t) - H(l-1, t-1)`). At the first frame MIM-N is
    not applied: D = 0 for every layer, and D and N stay zero.

    States: `started` (0 at the first frame, then 1), m, and for each layer l h, c, and, from
    layer 2, s (of MIM-S), d and n (of MIM-N), all `[B, H/p, W/p, n]`.

    Source: figure 4 of the paper; 2019 code, `mim.py`.
    """
    channels = config.num_hidden[0]
    cell = (channels, config.filter_size, config.layer_norm)
    blocks = range(2, len(config.num_hidden) + 1)
    names = ["m", "h1", "c1", *(f"{state}{layer}" for layer in blocks for state in "hcsdn")]
    old = state_inputs({"started": (1, 1, 1)} | dict.fromkeys(names, (*config.grid, channels)))
    new = {"started": ops.ones_like(old["started"])}

    frame = frame_input(config)
    x = SpaceToDepth(config.patch_size, name="to_patches")(frame)
    x, (new["h1"], new["c1"], m) = STLSTMCell(*cell, name="st_lstm_1")(
        x, [old["h1"], old["c1"], old["m"]]
    )
    difference = x - old["h1"]
    for i in blocks:
        _, (d, n) = MIMN(*cell, name=f"mim_n_{i}")(difference, [old[f"d{i}"], old[f"n{i}"]])
        new[f"d{i}"] = difference = d * old["started"]
        new[f"n{i}"] = n * old["started"]
        x, (new[f"h{i}"], new[f"c{i}"], new[f"s{i}"], m) = MIMBlock(*cell, name=f"mim_block_{i}")(
            [x, difference], [old[f"h{i}"], old[f"c{i}"], old[f"s{i}"], m]
        )
    new["m"] = m

    depth = config.patch_size**2 * config.img_channel
    patches = GateConvolution(depth, 1, layer_norm=False, name="to_pixels")(x)
    next_frame = DepthToSpace(config.patch_size, name="to_frame")(patches)
    return step_model(frame, next_frame, old, new, name="mim_step")
