"""Saturated gates and norms of memories, gathered batch by batch."""

import collections
import re

import numpy as np

from mim_tf.analysis.observe import observe, observed_step
from mim_tf.errors import MimError

MEMORIES = {"n": "N", "s": "S", "d": "D"}
"""States of MIM networks whose norms are followed; T is a read-out."""


class InsideStatistics:
    """Means over sequences of what happens inside a network, by frame.

    - `saturation`: "cell/gate" -> share of the gate's values below `low` or above `high`, over
      positions, channels and sequences; with "below" and "above" each alone
    - `norms`: "layer/memory" -> Euclidean norm over positions and channels, mean of the sequences;
      N and D of MIM-N, S and T of MIM-S

    Each is a list over the T-1 frames the network is fed; the first `input_length` are true.
    Source: figure 2 of the paper, which has the saturation of PredRNN's forget gates.

    Args:
        model: a `VideoPredictor`.
        low: values below count as saturated.
        high: values above count as saturated.

    Raises `MimError` unless 0 < low < high < 1, or where the network has neither gates nor
    memories to look at.
    """

    def __init__(self, model, low=0.1, high=0.9):
        if not 0 < low < high < 1:
            raise MimError(f"Expected 0 < low < high < 1, received low {low} and high {high}.")
        self.model = model
        self.bounds = low, high
        self.sequences = 0
        self._sums = collections.defaultdict(lambda: np.zeros(0))
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
                for key, per_sequence in self._measure(name, np.asarray(values)):
                    rows[key].append(per_sequence.sum())
        for key, row in rows.items():
            self._sums[key] = self._sums[key] + row if len(self._sums[key]) else np.array(row)
        self.sequences += len(frames)

    def result(self) -> dict:
        """Means so far, as JSON types."""
        result = {"sequences": self.sequences, "saturation": {}, "norms": {}}
        for (kind, *path), sums in self._sums.items():
            target = result[kind]
            for part in path[:-1]:
                target = target.setdefault(part, {})
            target[path[-1]] = (sums / self.sequences).tolist()
        return result

    def _measure(self, name, values):
        """(kind, name, ...) and one number for each sequence."""
        cell, quantity = name.split("/")
        axes = tuple(range(1, values.ndim))
        if cell == "state":
            match = re.fullmatch(rf"([{''.join(MEMORIES)}])(\d+)", quantity)
            if match:
                key = f"layer {match[2]}", MEMORIES[match[1]]
                yield ("norms", *key), np.linalg.norm(values.reshape(len(values), -1), axis=1)
        elif quantity == "T":
            layer = re.search(r"\d+$", cell)[0]
            norm = np.linalg.norm(values.reshape(len(values), -1), axis=1)
            yield ("norms", f"layer {layer}", "T"), norm
        else:
            low, high = self.bounds
            yield ("saturation", name, "below"), (values < low).mean(axis=axes)
            yield ("saturation", name, "above"), (values > high).mean(axis=axes)
