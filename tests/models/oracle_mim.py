"""The whole MIM network in NumPy: what the tests of the models compare with.

`w` are the weights of a built step by their paths. States are a dict: `m`, and the names of the
network's inputs (`h1`, `c1`, `h2`, `c2`, `s2`, `d2`, `n2`, ...).
"""

import numpy as np
import oracle
from oracle import part


def zero_states(w, batch, grid):
    layers = 1 + sum(path.startswith("mim_n_") and path.endswith("peephole_o") for path in w)
    channels = w["to_pixels/kernel"].shape[2]
    names = ["m", "h1", "c1", *(f"{state}{i}" for i in range(2, layers + 1) for state in "hcsdn")]
    return {name: np.zeros((batch, *grid, channels)) for name in names}


def step(w, frame, old, patch_size, first):
    """The next frame and the new states; `first`: t = 0."""
    new = {}
    x = oracle.space_to_depth(frame, patch_size)
    x, new["c1"], m = oracle.st_lstm(part(w, "st_lstm_1"), x, (old["h1"], old["c1"], old["m"]))
    new["h1"] = x
    difference = new["h1"] - old["h1"]
    layer = 2
    while f"h{layer}" in old:
        hidden, cell, stationary, d, n = (old[f"{state}{layer}"] for state in "hcsdn")
        if not first:
            d, n = oracle.peephole_conv_lstm(part(w, f"mim_n_{layer}"), difference, (d, n))
        difference = d
        hidden, cell, stationary, m = oracle.mim_block(
            part(w, f"mim_block_{layer}"), (x, d), (hidden, cell, stationary, m)
        )
        x = hidden
        new |= {f"h{layer}": hidden, f"c{layer}": cell, f"s{layer}": stationary}
        new |= {f"d{layer}": d, f"n{layer}": n}
        layer += 1
    new["m"] = m
    patches = oracle.gate_convolution(part(w, "to_pixels"), x)
    return oracle.depth_to_space(patches, patch_size), new


def roll_out(w, frames, flags, input_length, patch_size):
    """Predictions of frames 2..T; `flags` `[B, T - input_length - 1]` as in the 2019 code."""
    batch, length, height, width, _ = frames.shape
    states = zero_states(w, batch, (height // patch_size, width // patch_size))
    predictions = []
    for t in range(length - 1):
        frame = frames[:, t]
        if t >= input_length:
            flag = flags[:, t - input_length, None, None, None]
            frame = flag * frame + (1 - flag) * predictions[-1]
        prediction, states = step(w, frame, states, patch_size, first=t == 0)
        predictions.append(prediction)
    return np.stack(predictions, axis=1)
