"""Gates and memories of a network, frame by frame."""

import collections
import re
from collections.abc import Iterator

import keras
import matplotlib
import numpy as np
from matplotlib.figure import Figure

from mim_tf.errors import MimError


def observed_step(step: keras.Model) -> keras.Model:
    """A step that also returns what its cells keep to themselves.

    Args:
        step: one time step, see `mim_tf.models.rollout`. It is left as it is, and shares its
            weights with the result.

    Returns:
        A model of the same inputs. Its outputs are a dict of `step`, the outputs of the step, and
        `inside`, "cell/quantity" -> what the cell's `read_out` returns.
    """
    inside = {
        f"{layer.name}/{name}": value
        for layer in step.layers
        if hasattr(layer, "read_out")
        for name, value in _ReadOut(layer)(layer.input).items()
    }
    return keras.Model(step.inputs, {"step": step.outputs, "inside": inside})


class _ReadOut(keras.layers.Layer):
    """What a cell's `read_out` gives, as a layer of its own."""

    def __init__(self, cell):
        super().__init__(name=f"{cell.name}_read_out")
        self.cell = cell
        self.built = True

    def call(self, inputs):
        return self.cell.read_out(*inputs)


def observe(model, observed: keras.Model, frames) -> Iterator[dict[str, np.ndarray]]:
    """What goes on inside while `model` forecasts, one dict for each of the T-1 predicted frames.

    Args:
        model: a `VideoPredictor`. It is given `input_length` frames, then its own predictions.
        observed: the `observed_step` of its step.
        frames: `[B, T, H, W, C]`, float32 in [0, 1].

    Yields:
        "cell/quantity" -> read-out, and "state/name" -> new state, each `[B, H/p, W/p, n]`.
    """
    names = [state.name for state in model.step.inputs[1:]]
    states = [
        np.zeros((len(frames), *state.shape[1:]), np.float32) for state in model.step.inputs[1:]
    ]
    prediction = None
    for t in range(frames.shape[1] - 1):
        frame = frames[:, t] if t < model.config.input_length else prediction
        result = observed.predict_on_batch([frame, *states])
        prediction, *states = result["step"]
        yield result["inside"] | {
            f"state/{name}": state for name, state in zip(names, states, strict=True)
        }


# MERGED: Saturated gates and norms of memories, gathered batch by batch.


# What `observe` calls the memories of MIM networks: N, S and D are states, T is a read-out.
_STATE = re.compile(r"state/(?P<memory>[nsd])(?P<layer>\d+)")
_READ_OUT = re.compile(r".*_(?P<layer>\d+)/(?P<memory>T)")


class InsideStatistics:
    """Means over sequences of what happens inside a network, by frame.

    - `saturation`: "cell/gate" -> "below" and "above" -> share of the gate's values below `low`,
      and above `high`, over positions, channels and sequences
    - `norms`: "layer i" -> memory -> Euclidean norm over positions and channels, mean of the
      sequences; N and D of MIM-N, S and T of MIM-S

    Each is a list over the T-1 frames the network is fed; the first `input_length` are true.
    Source: figure 2 of the paper, which has the saturation of PredRNN's forget gates.

    Args:
        model: a `VideoPredictor`.
        low: values below count as saturated.
        high: values above count as saturated.

    Raises `MimError` unless 0 < low < high < 1, or where no cell of the network has a `read_out`.
    """

    def __init__(self, model, low=0.1, high=0.9):
        if not 0 < low < high < 1:
            raise MimError(f"Expected 0 < low < high < 1, received low {low} and high {high}.")
        self.model = model
        self.bounds = low, high
        self.sequences = 0
        self._sums = {}
        self._observed = observed_step(model.step)
        if not self._observed.output["inside"]:
            raise MimError(
                f"Nothing to look at in {model.config.model_name}: none of its cells has a method "
                "read_out. Give one to its cells, as STLSTMCell has."
            )

    def update(self, frames):
        """Adds sequences `[B, T, H, W, C]`, float32 in [0, 1]."""
        rows = collections.defaultdict(list)
        for inside in observe(self.model, self._observed, frames):
            for name, values in inside.items():
                for key, per_sequence in self._measure(name, values):
                    rows[key].append(per_sequence.sum())
        for key, row in rows.items():
            self._sums[key] = self._sums.get(key, 0) + np.array(row)
        self.sequences += len(frames)

    def result(self) -> dict:
        """Means so far, as JSON types."""
        result = {"sequences": self.sequences, "saturation": {}, "norms": {}}
        for (kind, name, part), sums in self._sums.items():
            result[kind].setdefault(name, {})[part] = (sums / self.sequences).tolist()
        return result

    def _measure(self, name, values):
        """(kind, name, part) and one number for each sequence."""
        memory = _STATE.fullmatch(name) or _READ_OUT.fullmatch(name)
        if memory:
            key = "norms", f"layer {memory['layer']}", memory["memory"].upper()
            yield key, np.linalg.norm(values.reshape(len(values), -1), axis=1)
        elif not name.startswith("state/"):
            low, high = self.bounds
            axes = tuple(range(1, values.ndim))
            yield ("saturation", name, "below"), (values < low).mean(axis=axes)
            yield ("saturation", name, "above"), (values > high).mean(axis=axes)


# MERGED: One figure of what happens inside a network.


COLORS = matplotlib.colormaps["viridis"]
STYLES = ("-", "--", ":", "-.")


def draw(path, result: dict, input_length: int, title: str) -> None:
    """Draws saturation and norms over the frames, one line for each gate and memory.

    Args:
        path: PNG file to make.
        result: of `InsideStatistics.result`.
        input_length: context length; a line marks where predictions are fed.
        title: above the figure.
    """
    layers = sorted(result["norms"], key=lambda name: int(name.split()[1]))
    columns = 2 if layers else 1
    figure = Figure(figsize=(7 * columns, 5), layout="constrained")
    axes = figure.subplots(1, columns, squeeze=False)[0]
    shares = {
        name: np.add(share["below"], share["above"]) for name, share in result["saturation"].items()
    }
    _lines(axes[0], shares, input_length, "share of saturated gate values")
    axes[0].set_ylim(0, 1)
    if layers:
        norms = {
            f"{memory}, {layer}": result["norms"][layer][memory]
            for memory in ("N", "S", "T", "D")
            for layer in layers
            if memory in result["norms"][layer]
        }
        _lines(axes[1], norms, input_length, "norm, mean of sequences")
    figure.suptitle(title)
    figure.savefig(path, dpi=110)


def _lines(axes, series, input_length, label):
    for number, (name, values) in enumerate(series.items()):
        color = COLORS(number / max(1, len(series) - 1) * 0.9)
        frames = np.arange(1, len(values) + 1)
        axes.plot(frames, values, STYLES[number % len(STYLES)], color=color, label=name)
    axes.axvline(input_length + 0.5, color="grey", linewidth=0.8)
    axes.set_xlabel("frame fed to the network (right of the line: its own prediction)")
    axes.set_ylabel(label)
    axes.legend(fontsize=7, ncols=2)
