"""Saturated gates and norms of memories, gathered batch by batch."""

import collections
import re

import numpy as np

from mim_tf.analysis.observe import observe, observed_step
from mim_tf.errors import MimError

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
