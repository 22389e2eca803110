"""Gates and memories of a network, frame by frame, as numbers and as a figure.

A cell that defines `read_out` tells what its gates are. `observed_step` adds these outputs to one
time step of a network; `inside_statistics` sums them up over sequences, as figure 2 of the paper.
"""

import collections
import re
from collections.abc import Iterable, Iterator

import keras
import matplotlib
import numpy as np
from matplotlib.figure import Figure

from mim_tf.errors import MimError
from mim_tf.storage.paths import replaced_whole
from mim_tf.values.text import literal


def observed_step(step: keras.Model) -> keras.Model:
    """Return a model of a network's time step, with the same weights, that shows its cells' inside.

    Its outputs are a dict of `step`, the outputs of the step, and `inside`, "cell/quantity" ->
    what the cell's `read_out` returns.
    """
    inside: dict = {}
    for layer in step.layers:
        if hasattr(layer, "read_out"):
            read_out = keras.layers.Lambda(lambda inputs, cell=layer: cell.read_out(*inputs))
            seen = read_out(layer.input)
            inside |= {f"{layer.name}/{name}": value for name, value in seen.items()}
    return keras.Model(step.inputs, {"step": step.outputs, "inside": inside})


def observe(model, observed: keras.Model, frames) -> Iterator[dict[str, np.ndarray]]:
    """Yield what happens inside while `model` forecasts, for each of the T-1 frames it is given.

    These are `input_length` of `frames` `[B, T, H, W, C]`, then its own predictions. Each item has
    "cell/quantity" -> read-out, and "state/name" -> new state, each `[B, H/p, W/p, n]`.
    """
    states = {
        state.name: np.zeros((len(frames), *state.shape[1:]), np.float32)
        for state in model.step.inputs[1:]
    }
    prediction = None
    for t in range(frames.shape[1] - 1):
        frame = frames[:, t] if t < model.config.input_length else prediction
        result = observed.predict_on_batch([frame, *states.values()])
        prediction, *new = result["step"]
        states = dict(zip(states, new, strict=True))
        yield result["inside"] | {f"state/{name}": state for name, state in states.items()}


# What `observe` calls the memories of MIM networks: N, S and D are states, T is a read-out.
_MEMORY = re.compile(r"state/(?P<state>[nsd])(?P<of>\d+)|.*_(?P<layer>\d+)/(?P<read_out>T)")


def inside_statistics(model, batches: Iterable[np.ndarray], low: float, high: float) -> dict:
    """Return means over sequences of what happens inside a network, by frame, as JSON types.

    - `sequences`: their number
    - `saturation`: "cell/gate" -> "below" and "above" -> share of the gate's values below `low`,
      and above `high`, over positions, channels and sequences
    - `norms`: "layer i" -> memory -> Euclidean norm over positions and channels, mean of the
      sequences; N and D of MIM-N, S and T of MIM-S

    Each is a list over the T-1 frames the network is fed; the first `input_length` are true.
    `batches` are sequences `[B, T, H, W, C]`, float32 in [0, 1].
    """
    observed = observed_step(model.step)
    if not observed.output["inside"]:
        raise MimError(
            f"Expected a network whose cells have a method read_out, as STLSTMCell has, got "
            f"{model.config.model_name}."
        )
    sequences = 0
    sums: dict[tuple[str, str, str], np.ndarray] = {}
    for frames in batches:
        rows = collections.defaultdict(list)
        for inside in observe(model, observed, frames):
            for name, values in inside.items():
                for key, per_sequence in _measured(name, values, low, high):
                    rows[key].append(per_sequence.sum())
        for key, row in rows.items():
            sums[key] = sums.get(key, 0) + np.array(row)
        sequences += len(frames)
    result: dict = {"sequences": sequences, "saturation": {}, "norms": {}}
    for (kind, name, part), total in sums.items():
        result[kind].setdefault(name, {})[part] = (total / sequences).tolist()
    return result


def _measured(name, values, low, high):
    """Yield (kind, name, part) and one number for each sequence."""
    values = np.asarray(values, np.float32)  # a norm would overflow in float16
    if memory := _MEMORY.fullmatch(name):
        letter = (memory["state"] or memory["read_out"]).upper()
        key = "norms", f"layer {memory['of'] or memory['layer']}", letter
        yield key, np.linalg.norm(values.reshape(len(values), -1), axis=1)
    elif not name.startswith("state/"):
        axes = tuple(range(1, values.ndim))
        yield ("saturation", name, "below"), (values < low).mean(axis=axes)
        yield ("saturation", name, "above"), (values > high).mean(axis=axes)


COLORS = matplotlib.colormaps["viridis"]
STYLES = ("-", "--", ":", "-.")


def draw(path, result: dict, input_length: int, title: str) -> None:
    """Draw a PNG file of saturation and norms over the frames, a line for each gate and memory.

    It is written atomically; `OSError` is raised if that fails.

    A vertical line marks where predictions are fed instead of true frames.
    """
    layers = sorted(result["norms"], key=lambda name: int(name.split()[1]))
    shares = {
        name: np.add(share["below"], share["above"]) for name, share in result["saturation"].items()
    }
    norms = {
        f"{memory}, {layer}": result["norms"][layer][memory]
        for memory in ("N", "S", "T", "D")
        for layer in layers
        if memory in result["norms"][layer]
    }
    panels = {"share of saturated gate values": shares}
    if norms:
        panels["norm, mean of sequences"] = norms
    figure = Figure(figsize=(7 * len(panels), 5), layout="constrained")
    every = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (label, series) in zip(every, panels.items(), strict=True):
        for number, (name, values) in enumerate(series.items()):
            color = COLORS(number / max(1, len(series) - 1) * 0.9)
            frames = np.arange(1, len(values) + 1)
            axes.plot(frames, values, STYLES[number % len(STYLES)], color=color, label=name)
        axes.axvline(input_length + 0.5, color="grey", linewidth=0.8)
        axes.set_xlabel("frame fed to the network (right of the line: its own prediction)")
        axes.set_ylabel(label)
        axes.legend(fontsize=7, ncols=2)
    every[0].set_ylim(0, 1)
    figure.suptitle(literal(title))
    with replaced_whole(path) as part:
        figure.savefig(part, format="png", dpi=110)
