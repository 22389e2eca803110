"""The non-stationary module of a MIM block."""

import keras

from mim_tf.layers.peephole_conv_lstm import PeepholeConvLSTMCell


@keras.saving.register_keras_serializable("mim_tf")
class MIMN(PeepholeConvLSTMCell):
    """MIM-N: follows the change of a hidden state from one frame to the next.

    A peephole ConvLSTM whose input is a difference.

    Call arguments:
        inputs: d, `[B, H, W, filters]`. In layer 2: `H1(t) - H1(t-1)`. In higher layers the 2019
            code gives the D' of the MIM-N one layer below, the paper's equation 2 a difference of
            hidden states as in layer 2; `mim_tf` follows the code unless `differencing` says
            otherwise.
        states: D, N.

    Returns:
        D' and the new states [D', N'].

    Source: equation 2 of the paper; 2019 code, `MIMN`.
    """

    state_names = ("D", "N")
