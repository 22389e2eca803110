"""Layers 2 and up of MIM and MIM*: in each a MIM-N and a block."""

from keras import ops

from mim_tf.config import ModelConfig
from mim_tf.layers import MIMN
from mim_tf.models.step import cell_settings, state_inputs


def mim_state_inputs(config: ModelConfig, bottom: list[str]):
    """Inputs for the states `bottom` of the layers below, and for those of layers 2 and up.

    In each of the latter h, c, s (of MIM-S) and, with MIM-N, d and n. With MIM-N there is also
    `started`, 0 at the first frame and then 1.
    """
    kinds = "hcsdn" if config.mim_n else "hcs"
    upper = [f"{kind}{layer}" for layer in range(2, config.num_layers + 1) for kind in kinds]
    started = {"started": (1, 1, 1)} if config.mim_n else {}
    return state_inputs(config, [*bottom, *upper], **started)


def mim_layers(config: ModelConfig, block, name: str, inputs, old):
    """Applies layers 2 and up.

    Args:
        config: of the network.
        block: `MIMBlock` or `MIMCausalBlock`.
        name: of the blocks, to which the number of the layer is added.
        inputs: what is fed to layer 2: x, the difference for its MIM-N, and the spatial memory m.
        old: name -> state of the step before, from `mim_state_inputs`.

    Returns:
        h of the top layer, and name -> new state of these layers, m and `started`.
    """
    x, difference, m = inputs
    new = {"started": ops.ones_like(old["started"])} if config.mim_n else {}
    for i in range(2, config.num_layers + 1):
        d = ops.zeros_like(x)
        if config.mim_n:
            d, n = _apply_mim_n(config, i, difference, old)
            new |= {f"d{i}": d, f"n{i}": n}
        x, (new[f"h{i}"], new[f"c{i}"], new[f"s{i}"], m) = block(
            **cell_settings(config), name=f"{name}_{i}"
        )([x, d], [old[f"h{i}"], old[f"c{i}"], old[f"s{i}"], m])
        difference = d if config.differencing == "code" else x - old[f"h{i}"]
    return x, new | {"m": m}


def _apply_mim_n(config, layer, difference, old):
    mim_n = MIMN(**cell_settings(config), name=f"mim_n_{layer}")
    _, (d, n) = mim_n(difference, [old[f"d{layer}"], old[f"n{layer}"]])
    # Zeros at the first frame, where it is not applied.
    return d * old["started"], n * old["started"]
