"""What is known of test sequences without a model: which they are, what baselines score."""

import hashlib
import weakref

import numpy as np

from mim_tf.data.source import SequenceSource
from mim_tf.evaluation.baselines import baselines_for
from mim_tf.evaluation.score_set import scores_for

_KNOWN = weakref.WeakKeyDictionary()
"""Source -> settings -> results: evaluations during training are all on the same sequences."""


class ReferenceScores:
    """The SHA-256 of sequences and the baselines' scores on them, computed once a source.

    Args:
        source: of the sequences.
        input_length: context length.
        limit: number of sequences, the first of `source`; 0: all.
        protocol: of the scores.
    """

    def __init__(self, source: SequenceSource, input_length: int, limit: int, protocol: str):
        self._source = source
        self._context = input_length
        self._known = _KNOWN.setdefault(source, {})
        self._key = (input_length, limit, protocol)
        self._baselines, self._scores = baselines_for(source), {}
        if self._key not in self._known:
            self._hash = hashlib.sha256(str(source.shape).encode())
            self._scores = {name: scores_for(source, protocol) for name in self._baselines}

    def update(self, frames: np.ndarray, truth: np.ndarray) -> None:
        """Adds a batch `[B, T, H, W, C]`.

        Args:
            frames: floats in [0, 1]; 0 where a value is missing.
            truth: the same with NaN there.
        """
        if self._key in self._known:
            return
        self._hash.update(np.ascontiguousarray(truth, "<f4"))
        future = truth[:, self._context :]
        for name, scores in self._scores.items():
            forecast = self._baselines[name](frames[:, : self._context], future.shape[1])
            scores.update(future, forecast)

    def result(self) -> dict:
        """`{"data": {"sha256": ..., as the source describes it}, "baselines": {name: scores}}`.

        A baseline's scores are `{"mean": {...}, "per_frame": {...}}` as in `AccumulatedScores`.
        """
        if self._key not in self._known:
            scores = {name: scores.result() for name, scores in self._scores.items()}
            self._known[self._key] = {
                "data": {"sha256": self._hash.hexdigest(), **self._source.describe()},
                "baselines": {
                    name: {part: result[part] for part in ("mean", "per_frame")}
                    for name, result in scores.items()
                },
            }
        return self._known[self._key]
