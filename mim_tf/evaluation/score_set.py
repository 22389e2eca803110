"""Scores of several kinds, gathered together."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from mim_tf.data.source import SequenceSource
from mim_tf.evaluation.accumulated import AccumulatedScores
from mim_tf.evaluation.categorical import CategoricalScores
from mim_tf.evaluation.physical import PhysicalErrors
from mim_tf.evaluation.protocols import protocol_scores


class ScoreSet:
    """As `AccumulatedScores`, of all `kinds`: each method does what theirs do."""

    def __init__(self, kinds: Sequence[AccumulatedScores]):
        self.kinds = kinds

    @property
    def sequences(self) -> int:
        return self.kinds[0].sequences

    def update(self, truth: ArrayLike, prediction: ArrayLike) -> None:
        for kind in self.kinds:
            kind.update(truth, prediction)

    def merge(self, other: "ScoreSet") -> None:
        for ours, theirs in zip(self.kinds, other.kinds, strict=True):
            ours.merge(theirs)

    def result(self) -> dict:
        results = [kind.result() for kind in self.kinds]
        together = {part: _union(r[part] for r in results) for part in ("mean", "per_frame")}
        return {"sequences": self.sequences, **together}

    def intervals(self) -> dict[str, list[float] | None]:
        return _union(kind.intervals() for kind in self.kinds)

    def per_sequence(self) -> dict[str, np.ndarray]:
        return _union(kind.per_sequence() for kind in self.kinds)


def scores_for(source: SequenceSource, protocol: str = "mim2019") -> ScoreSet:
    """Empty scores of all kinds that make sense for `source`."""
    kinds = [protocol_scores(protocol, source.scale)]
    if source.scale:
        kinds.append(PhysicalErrors(source.scale))
    if source.thresholds:
        kinds.append(CategoricalScores(source.scale, source.thresholds))
    return ScoreSet(kinds)


def _union(parts):
    return {name: value for part in parts for name, value in part.items()}
