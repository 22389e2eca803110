"""The networks of 2019 in NumPy: what the tests of the models compare with.

`w` are the weights of a built step by their paths. States are a dict under the names of the
network's inputs (`m`, `h1`, `c1`, `h2`, `c2`, `s2`, `d2`, `n2`, ...), without `started`.
"""

import numpy as np

from tests.layers import oracle
from tests.layers.oracle import part


def layers(old, first=1):
    """Numbers of the layers, from `first`."""
    return range(first, 1 + sum(name.startswith("h") for name in old))


def predrnn(w, x, old, cell=oracle.st_lstm, name="st_lstm", highway=False):
    """h of the top layer and the new states, from patches x."""
    new, m = {}, old["m"]
    for i in layers(old):
        states = old[f"h{i}"], old[f"c{i}"], m
        x, new[f"c{i}"], m = cell(part(w, f"{name}_{i}"), x, states)
        new[f"h{i}"] = x
        if highway and i == 1:
            (x,) = oracle.gradient_highway(part(w, "gradient_highway"), x, [old["z"]])
            new["z"] = x
    return x, new | {"m": m}


def predrnn_pp(w, x, old):
    return predrnn(w, x, old, oracle.causal_lstm, "causal_lstm", highway=True)


def convlstm_net(w, x, old):
    new = {}
    for i in layers(old):
        states = old[f"h{i}"], old[f"c{i}"]
        x, new[f"c{i}"] = oracle.peephole_conv_lstm(part(w, f"conv_lstm_{i}"), x, states)
        new[f"h{i}"] = x
    return x, new


def mim(w, x, old, first, differencing="code"):
    """`first`: t = 0. Without states d and n there is no MIM-N."""
    x, c1, m = oracle.st_lstm(part(w, "st_lstm_1"), x, (old["h1"], old["c1"], old["m"]))
    new = {"h1": x, "c1": c1}
    block = oracle.mim_block, "mim_block"
    return mim_layers(w, block, (x, x - old["h1"], m), old, new, first, differencing)


def mim_star(w, x, old, first, differencing="code"):
    h1, c1, m = oracle.causal_lstm(part(w, "causal_lstm_1"), x, (old["h1"], old["c1"], old["m"]))
    (z,) = oracle.gradient_highway(part(w, "gradient_highway"), h1, [old["z"]])
    new = {"h1": h1, "c1": c1, "z": z}
    block = oracle.mim_causal_block, "mim_causal_block"
    return mim_layers(w, block, (z, z - old["z"], m), old, new, first, differencing)


def mim_layers(w, block, inputs, old, new, first, differencing):
    formula, name = block
    x, difference, m = inputs
    for i in layers(old, first=2):
        h, c, s = (old[f"{state}{i}"] for state in "hcs")
        d = np.zeros_like(h)
        if f"d{i}" in old:
            d, n = old[f"d{i}"], old[f"n{i}"]
            if not first:
                d, n = oracle.peephole_conv_lstm(part(w, f"mim_n_{i}"), difference, (d, n))
            new |= {f"d{i}": d, f"n{i}": n}
        x, c, s, m = formula(part(w, f"{name}_{i}"), (x, d), (h, c, s, m))
        difference = {"code": d, "paper": x - h}[differencing]
        new |= {f"h{i}": x, f"c{i}": c, f"s{i}": s}
    return x, new | {"m": m}


NETWORKS = {
    "mim": mim,
    "mim_star": mim_star,
    "predrnn": lambda w, x, old, first: predrnn(w, x, old),
    "predrnn_pp": lambda w, x, old, first: predrnn_pp(w, x, old),
    "convlstm_net": lambda w, x, old, first: convlstm_net(w, x, old),
}


def step(config, w, frame, old, first):
    """The next frame and the new states."""
    x = oracle.space_to_depth(frame, config.patch_size)
    settings = {} if config.differencing == "code" else {"differencing": config.differencing}
    top, new = NETWORKS[config.model_name](w, x, old, first, **settings)
    patches = oracle.gate_convolution(part(w, "to_pixels"), top)
    return oracle.depth_to_space(patches, config.patch_size), new


def roll_out(config, w, frames, flags, states):
    """Predictions of frames 2..T; `flags` `[B, T - input_length - 1]` as in the 2019 code."""
    predictions = []
    for t in range(frames.shape[1] - 1):
        frame = frames[:, t]
        if t >= config.input_length:
            flag = flags[:, t - config.input_length, None, None, None]
            frame = flag * frame + (1 - flag) * predictions[-1]
        prediction, states = step(config, w, frame, states, first=t == 0)
        predictions.append(prediction)
    return np.stack(predictions, axis=1)
