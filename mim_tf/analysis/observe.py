"""Gates and memories of a network, frame by frame."""

from collections.abc import Iterator

import keras
import numpy as np


def observed_step(step: keras.Model) -> keras.Model:
    """A step that also returns what its cells keep to themselves.

    Args:
        step: one time step of a network; see `models/step.py`. It is left as it is, and shares its
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
