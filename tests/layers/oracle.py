"""The cells of the 2019 networks in NumPy: what the tests of the layers compare with.

Each takes `w`, weights by their variable names, and works in the precision of its inputs. Shapes
are `[B, H, W, C]`.
"""

import numpy as np


def part(w, name):
    """The weights below `name`, without it."""
    return {
        path[len(name) + 1 :]: value for path, value in w.items() if path.startswith(name + "/")
    }


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def convolve(x, kernel):
    """Stride 1, zeros around: each kernel position adds one shifted copy of the input."""
    side = kernel.shape[0]
    height, width = x.shape[1:3]
    around = side // 2
    padded = np.pad(x, ((0, 0), (around, around), (around, around), (0, 0)))
    return sum(
        padded[:, row : row + height, column : column + width] @ kernel[row, column]
        for row in range(side)
        for column in range(side)
    )


def tensor_layer_norm(w, x):
    mean = x.mean((1, 2, 3), keepdims=True)
    variance = x.var((1, 2, 3), keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-5) * w["scale"] + w["shift"]


def gate_convolution(w, x):
    y = convolve(x, w["kernel"]) + w["bias"]
    return tensor_layer_norm(part(w, "norm"), y) if "norm/scale" in w else y


def gates(w, name, x, count):
    return np.split(gate_convolution(part(w, name), x), count, axis=-1)


def st_lstm(w, x, states):
    h, c, m = states
    i_x, g_x, f_x, o_x = gates(w, "from_input", x, 4)
    i_t, g_t, f_t, o_t = gates(w, "from_hidden", h, 4)
    i_s, g_s, f_s, o_s = gates(w, "from_memory", m, 4)
    c = sigmoid(f_x + f_t + 1) * c + sigmoid(i_x + i_t) * np.tanh(g_x + g_t)
    m = sigmoid(f_x + f_s + 1) * m + sigmoid(i_x + i_s) * np.tanh(g_x + g_s)
    return output_gate(w, o_x + o_t + o_s, c, m)


def output_gate(w, o, c, m):
    h = sigmoid(o) * np.tanh(
        gate_convolution(part(w, "cell_reduce"), np.concatenate([c, m], axis=-1))
    )
    return h, c, m


def peephole_conv_lstm(w, x, states):
    """The cell of ConvLSTM, of MIM-N (x = d; states D, N) and of MIM-S (x = D'; states C, S)."""
    h, c = states
    total = gate_convolution(part(w, "from_hidden"), h) + gate_convolution(part(w, "from_input"), x)
    i, g, f, o = np.split(total, 4, axis=-1)
    n = c.shape[-1]
    w_i, w_f = w["peephole_if"][..., :n], w["peephole_if"][..., n:]
    c = sigmoid(f + w_f * c + 1) * c + sigmoid(i + w_i * c) * np.tanh(g)
    h = sigmoid(o + w["peephole_o"] * c) * np.tanh(c)
    return h, c


def mim_block(w, inputs, states):
    x, d = inputs
    h, c, s, m = states
    i_x, g_x, f_x, o_x = gates(w, "from_input", x, 4)
    i_t, g_t, o_t = gates(w, "from_hidden", h, 3)
    i_s, g_s, f_s, o_s = gates(w, "from_memory", m, 4)
    t, s = peephole_conv_lstm(part(w, "mim_s"), d, (c, s))
    c = t + sigmoid(i_x + i_t) * np.tanh(g_x + g_t)
    m = sigmoid(f_x + f_s + 1) * m + sigmoid(i_x + i_s) * np.tanh(g_x + g_s)
    h, c, m = output_gate(w, o_x + o_t + o_s, c, m)
    return h, c, s, m


def causal_lstm(w, x, states):
    h, c, m = states
    i_x, g_x, f_x, o_x, *second = gates(w, "from_input", x, 7)
    i_h, g_h, f_h, o_h = gates(w, "from_hidden", h, 4)
    c = sigmoid(f_x + f_h + 1) * c + sigmoid(i_x + i_h) * np.tanh(g_x + g_h)
    return cascade(w, second, o_x + o_h, c, m)


def cascade(w, from_input, o, c, m):
    i_x, g_x, f_x = from_input
    i_m, f_m, m_m = gates(w, "from_memory", m, 3)
    i_c, g_c, f_c, o_c = gates(w, "from_cell", c, 4)
    m = sigmoid(f_c + f_x + f_m + 1) * np.tanh(m_m) + sigmoid(i_c + i_x + i_m) * np.tanh(g_c + g_x)
    o = np.tanh(o + o_c + gate_convolution(part(w, "from_new_memory"), m))
    merged = gate_convolution(part(w, "cell_reduce"), np.concatenate([c, m], axis=-1))
    return o * np.tanh(merged), c, m


def mim_causal_block(w, inputs, states):
    x, d = inputs
    h, c, s, m = states
    i_x, g_x, o_x, *second = gates(w, "from_input", x, 6)
    i_h, g_h, o_h = gates(w, "from_hidden", h, 3)
    t, s = peephole_conv_lstm(part(w, "mim_s"), d, (c, s))
    c = t + sigmoid(i_x + i_h) * np.tanh(g_x + g_h)
    h, c, m = cascade(w, second, o_x + o_h, c, m)
    return h, c, s, m


def gradient_highway(w, x, states):
    (z,) = states
    total = gate_convolution(part(w, "from_hidden"), z) + gate_convolution(part(w, "from_input"), x)
    p, u = np.split(total, 2, axis=-1)
    return (sigmoid(u) * np.tanh(p) + (1 - sigmoid(u)) * z,)


def space_to_depth(frames, p):
    """Channel `(row * p + column) * C + channel` of a patch is that pixel of it."""
    return np.concatenate(
        [frames[:, row::p, column::p] for row in range(p) for column in range(p)], axis=-1
    )


def depth_to_space(patches, p):
    batch, height, width, depth = patches.shape
    channels = depth // p**2
    frames = np.empty((batch, height * p, width * p, channels), patches.dtype)
    for place in range(p**2):
        pixel = patches[..., place * channels : (place + 1) * channels]
        frames[:, place // p :: p, place % p :: p] = pixel
    return frames


def torch_st_lstm(w, x, states):
    """The ST-LSTM of predrnn-pytorch and OpenSTL."""
    h, c, m = states
    i_x, f_x, g_x, ii_x, ff_x, gg_x, o_x = gates(w, "from_input", x, 7)
    i_h, f_h, g_h, o_h = gates(w, "from_hidden", h, 4)
    ii_m, ff_m, gg_m = gates(w, "from_memory", m, 3)
    c = sigmoid(f_x + f_h + 1) * c + sigmoid(i_x + i_h) * np.tanh(g_x + g_h)
    m = sigmoid(ff_x + ff_m + 1) * m + sigmoid(ii_x + ii_m) * np.tanh(gg_x + gg_m)
    both = np.concatenate([c, m], axis=-1)
    o = sigmoid(o_x + o_h + gate_convolution(part(w, "from_memories"), both))
    return o * np.tanh(gate_convolution(part(w, "cell_reduce"), both)), c, m


def openstl_causal_lstm(w, x, states, era="2023"):
    h, c, m = states
    i_x, g_x, f_x, o_x, *second = gates(w, "from_input", x, 7)
    i_h, g_h, f_h, o_h = gates(w, "from_hidden", h, 4)
    i_c, g_c, f_c = gates(w, "from_kept", m if era == "2023" else c, 3)
    c = sigmoid(f_x + f_h + f_c + 1) * c + sigmoid(i_x + i_h + i_c) * np.tanh(g_x + g_h + g_c)
    return cascade(w, second, o_x + o_h, c, m)


def openstl_conv_lstm(w, x, states, era="2023"):
    h, c = states
    total = gate_convolution(part(w, "from_hidden"), h) + gate_convolution(part(w, "from_input"), x)
    i, f, g, o = np.split(total, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(g if era == "2023" else c), c
