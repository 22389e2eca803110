"""Memory In Memory, one time step."""

import keras

from mim_tf.config import ModelConfig
from mim_tf.layers import MIMBlock, STLSTMCell
from mim_tf.models.mim_layers import mim_layers, mim_state_inputs
from mim_tf.models.predrnn import predrnn_step
from mim_tf.models.registry import register_network
from mim_tf.models.step import cell_settings, frame_input, step_model, to_frame, to_patches


@register_network("mim", ablations=True)
def mim_step(config: ModelConfig) -> keras.Model:
    """MIM: an ST-LSTM below, MIM blocks above, each block with a MIM-N of its own.

    The spatial memory m enters layer 1 from the top layer of the step before and is handed
    upwards. MIM-N of layer 2 gets `H1(t) - H1(t-1)`; MIM-N of layer l > 2 gets D' of the MIM-N
    below, as in the 2019 code, or `H(l-1, t) - H(l-1, t-1)`, as in the paper, with
    `differencing="paper"`. At the first frame MIM-N is not applied: D = 0 for every layer, and D
    and N stay zero.

    Ablations: with `mim_n=False` there is no MIM-N, and D = 0 for every block and frame, so that
    of MIM-S' input convolution only bias and norm act. With `mim_s=False`, too, the forget gate
    is that of the ST-LSTM, and the network is PredRNN.

    States: `started` (0 at the first frame, then 1), m, and for each layer l h, c, and, from
    layer 2, s (of MIM-S), d and n (of MIM-N), all but `started` `[B, H/p, W/p, n]`.

    Source: figure 4 of the paper; 2019 code, `mim.py`.
    """
    if not config.mim_s:
        return predrnn_step(config)
    frame = frame_input(config)
    old = mim_state_inputs(config, ["m", "h1", "c1"])
    h1, (_, c1, m) = STLSTMCell(**cell_settings(config), name="st_lstm_1")(
        to_patches(config, frame), [old["h1"], old["c1"], old["m"]]
    )
    top, new = mim_layers(config, MIMBlock, "mim_block", (h1, h1 - old["h1"], m), old)
    return step_model(frame, to_frame(config, top), old, new | {"h1": h1, "c1": c1}, "mim_step")
