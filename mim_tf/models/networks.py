"""The five networks of the 2019 code and four of OpenSTL, each as one time step.

A step is a Keras model, see `mim_tf.models.rollout`. MIM and MIM* share `mim_layers`, their layers
from the second upwards. Without MIM-S they are PredRNN and PredRNN++.
"""

import functools

import keras
from absl import logging
from keras import ops

from mim_tf.config import ModelConfig
from mim_tf.layers import (
    MIMN,
    CausalLSTMCell,
    GradientHighway,
    MIMBlock,
    MIMCausalBlock,
    OpenSTLCausalLSTMCell,
    OpenSTLConvLSTMCell,
    PeepholeConvLSTMCell,
    STLSTMCell,
    TorchSTLSTMCell,
)
from mim_tf.models.registry import register_network
from mim_tf.models.rollout import StepEnds, cell_settings, state_inputs


def mim_state_inputs(config: ModelConfig, bottom: list[str]):
    """Return inputs for the states `bottom` and for the states of layers 2 and up.

    Layers 2 and up have h, c, s (of MIM-S) and, with MIM-N, d and n. With MIM-N there is also
    `started`, 0 at the first frame and then 1.
    """
    kinds = "hcsdn" if config.mim_n else "hcs"
    upper = [f"{kind}{layer}" for layer in range(2, config.num_layers + 1) for kind in kinds]
    started = {"started": (1, 1, 1)} if config.mim_n else {}
    return state_inputs(config, [*bottom, *upper], **started)


def mim_layers(config: ModelConfig, block, name: str, inputs, old):
    """Apply layers 2 and up.

    Args:
        config: configuration of the network.
        block: `MIMBlock` or `MIMCausalBlock`.
        name: name of the blocks, without the number of the layer.
        inputs: inputs of layer 2: x, the difference for its MIM-N, and the spatial memory m.
        old: name -> state of the previous step, from `mim_state_inputs`.

    Returns:
        h of the top layer, and name -> new state of these layers, m and `started`.
    """
    x, difference, m = inputs
    new = {"started": ops.ones_like(old["started"])} if config.mim_n else {}
    for i in range(2, config.num_layers + 1):
        d = ops.zeros_like(x)
        if config.mim_n:
            mim_n = MIMN(**cell_settings(config), name=f"mim_n_{i}")
            _, (d, n) = mim_n(difference, [old[f"d{i}"], old[f"n{i}"]])
            # At the first frame there is no difference yet, and both states stay zero. The product
            # keeps the biases of MIM-N out of them.
            d, n = d * old["started"], n * old["started"]
            new |= {f"d{i}": d, f"n{i}": n}
        x, (new[f"h{i}"], new[f"c{i}"], new[f"s{i}"], m) = block(
            **cell_settings(config), name=f"{name}_{i}"
        )([x, d], [old[f"h{i}"], old[f"c{i}"], old[f"s{i}"], m])
        difference = d if config.differencing == "code" else x - old[f"h{i}"]
    return x, new | {"m": m}


@register_network("mim", ablations=True)
def mim_step(config: ModelConfig) -> keras.Model:
    """Build MIM: an ST-LSTM in layer 1, MIM blocks above, each with its own MIM-N.

    The spatial memory m enters layer 1 from the top layer of the previous step and passes
    upwards. MIM-N of layer 2 gets `H1(t) - H1(t-1)`; MIM-N of layer l > 2 gets D' of the MIM-N
    below, as in the 2019 code, or `H(l-1, t) - H(l-1, t-1)`, as in the paper, with
    `differencing="paper"`. At the first frame MIM-N is not applied: D = 0 for every layer, and D
    and N stay zero.

    Ablations: with `mim_n=False` there is no MIM-N, and D = 0 for every block and frame. Only bias
    and norm of MIM-S' input convolution then have an effect. With `mim_s=False`, too, the network
    is PredRNN.

    States: `started` (0 at the first frame, then 1), m, and for each layer l h, c, and, from
    layer 2, s (of MIM-S), d and n (of MIM-N), all but `started` `[B, H/p, W/p, n]`.

    Source: figure 4 of the paper; 2019 code, `mim.py`.
    """
    if not config.mim_s:
        return predrnn_step(config)
    if config.num_layers == 1:
        logging.warning("One layer of mim is PredRNN: MIM blocks begin in layer 2 of --num_hidden.")
    return _mim(config, STLSTMCell)


def _mim(config, bottom) -> keras.Model:
    """Return the time step of MIM with a cell of the class `bottom` in layer 1."""
    ends = StepEnds(config)
    old = mim_state_inputs(config, ["m", "h1", "c1"])
    h1, (_, c1, m) = bottom(**cell_settings(config), name="st_lstm_1")(
        ends.patches, [old["h1"], old["c1"], old["m"]]
    )
    top, new = mim_layers(config, MIMBlock, "mim_block", (h1, h1 - old["h1"], m), old)
    return ends.model(top, old, new | {"h1": h1, "c1": c1}, "mim_step")


@register_network("mim_star", ablations=True, min_layers=2)
def mim_star_step(config: ModelConfig) -> keras.Model:
    """Build MIM*: a Causal LSTM, a gradient highway, and MIM-Causal blocks, each with a MIM-N.

    Layer 2 gets z', the output of the highway, and its MIM-N `z(t) - z(t-1)`. Spatial memory,
    first frame and ablations are as in MIM; without MIM-S the network is PredRNN++.

    States: `started` (0 at the first frame, then 1), m, z, and for each layer l h, c, and, from
    layer 2, s (of MIM-S), d and n (of MIM-N), all but `started` `[B, H/p, W/p, n]`.

    Source: 2019 code, `mim_pp.py`.
    """
    if not config.mim_s:
        return predrnn_pp_step(config)
    cell = cell_settings(config)
    ends = StepEnds(config)
    old = mim_state_inputs(config, ["m", "h1", "c1", "z"])
    h1, (_, c1, m) = CausalLSTMCell(**cell, name="causal_lstm_1")(
        ends.patches, [old["h1"], old["c1"], old["m"]]
    )
    z, _ = GradientHighway(**cell, name="gradient_highway")(h1, [old["z"]])
    top, new = mim_layers(config, MIMCausalBlock, "mim_causal_block", (z, z - old["z"], m), old)
    new |= {"h1": h1, "c1": c1, "z": z}
    return ends.model(top, old, new, "mim_star_step")


@register_network("predrnn")
def predrnn_step(config: ModelConfig) -> keras.Model:
    """Build PredRNN: an ST-LSTM in every layer.

    The spatial memory m enters layer 1 from the top layer of the previous step and passes upwards.

    States: m, and h and c of each layer, all `[B, H/p, W/p, n]`.

    Source: PredRNN (NeurIPS 2017); 2019 code, `predrnn.py`.
    """
    return _stacked(config, STLSTMCell, "st_lstm", "predrnn_step")


@register_network("predrnn_pp", min_layers=2)
def predrnn_pp_step(config: ModelConfig) -> keras.Model:
    """Build PredRNN++: a Causal LSTM in every layer, a gradient highway between layers 1 and 2.

    The spatial memory m enters layer 1 from the top layer of the previous step and passes upwards,
    around the highway.

    States: m, z (of the highway), and h and c of each layer, all `[B, H/p, W/p, n]`.

    Source: PredRNN++ (ICML 2018); 2019 code, `predrnn_pp.py`.
    """
    return _stacked(config, CausalLSTMCell, "causal_lstm", "predrnn_pp_step", highway=True)


@register_network("convlstm_net", scheduled_sampling=False)
def convlstm_step(config: ModelConfig) -> keras.Model:
    """Build ConvLSTM: a peephole ConvLSTM in every layer.

    Training feeds the network its own output after the context, unless `scheduled_sampling` is
    set.

    States: h and c of each layer, all `[B, H/p, W/p, n]`.

    Source: ConvLSTM (NeurIPS 2015); 2019 code, `convlstm_net.py`.
    """
    return _stacked(config, PeepholeConvLSTMCell, "conv_lstm", "convlstm_step", memory=False)


@register_network("mim_openstl", ablations=True)
def mim_openstl_step(config: ModelConfig) -> keras.Model:
    """Build MIM as in OpenSTL, which differs from `mim` in the cell of layer 1 and in the norm.

    S of MIM-S starts at 0 in every sequence, as in 2019. OpenSTL never sets S back: a batch starts
    with the S of the batch before. Its published scores were computed in this way.

    Source: OpenSTL, `mim_modules.py`, attribute `convlstm_c` of `MIMBlock`.
    """
    return _mim(config, TorchSTLSTMCell) if config.mim_s else predrnn_torch_step(config)


@register_network("predrnn_torch")
def predrnn_torch_step(config: ModelConfig) -> keras.Model:
    """Build PredRNN as in predrnn-pytorch and OpenSTL; PredRNN-V2 predicts in the same way.

    Source: predrnn-pytorch, `predrnn.py` and `predrnn_v2.py`; OpenSTL, `predrnn_modules.py`.
    """
    return _stacked(config, TorchSTLSTMCell, "st_lstm", "predrnn_torch_step")


@register_network("predrnn_pp_openstl", min_layers=2)
def predrnn_pp_openstl_step(config: ModelConfig) -> keras.Model:
    """Build PredRNN++ as in OpenSTL, before or after its equations changed (`era`).

    Source: OpenSTL, `predrnnpp_modules.py`.
    """
    cell = functools.partial(OpenSTLCausalLSTMCell, era=config.era)
    return _stacked(config, cell, "causal_lstm", "predrnn_pp_openstl_step", highway=True)


@register_network("convlstm_openstl")
def convlstm_openstl_step(config: ModelConfig) -> keras.Model:
    """Build ConvLSTM as in OpenSTL, before or after its equations changed (`era`).

    Source: OpenSTL, `convlstm_modules.py`.
    """
    cell = functools.partial(OpenSTLConvLSTMCell, era=config.era)
    return _stacked(config, cell, "conv_lstm", "convlstm_openstl_step", memory=False)


def _stacked(config, cell, name, step_name, memory=True, highway=False) -> keras.Model:
    """Return a time step with the same kind of cell in every layer, named `name` and a number.

    `memory` passes m through all layers. `highway` puts a gradient highway on layer 1.
    """
    shared = ["m"] * memory + ["z"] * highway
    layers = range(1, config.num_layers + 1)
    ends = StepEnds(config)
    old = state_inputs(config, [*shared, *(f"{state}{i}" for i in layers for state in "hc")])
    new = {}
    x, m = ends.patches, [old["m"]] if memory else []
    for i in layers:
        x, (new[f"h{i}"], new[f"c{i}"], *m) = cell(**cell_settings(config), name=f"{name}_{i}")(
            x, [old[f"h{i}"], old[f"c{i}"], *m]
        )
        if highway and i == 1:
            x, (new["z"],) = GradientHighway(**cell_settings(config), name="gradient_highway")(
                x, [old["z"]]
            )
    if memory:
        (new["m"],) = m
    return ends.model(x, old, new, step_name)
