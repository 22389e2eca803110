"""Scores of several kinds, gathered together."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from mim_tf.data.source import SequenceSource
from mim_tf.evaluation.errors import ConvertedErrors, PhysicalErrors
from mim_tf.evaluation.events import (
    EVENT_RULES,
    BalancedErrors,
    CategoricalScores,
    EventRule,
    FractionsSkillScores,
)
from mim_tf.evaluation.fields import PowerSpectra, field_scores
from mim_tf.evaluation.protocols import protocol_scores
from mim_tf.evaluation.statistics import AccumulatedScores


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

    def resampled(self, groups: ArrayLike | None = None) -> dict[str, np.ndarray]:
        return _union(kind.resampled(groups) for kind in self.kinds)

    def intervals(self, groups: ArrayLike | None = None) -> dict[str, list[float] | None]:
        return _union(kind.intervals(groups) for kind in self.kinds)

    def details(self) -> dict:
        return _union(kind.details() for kind in self.kinds)

    def per_sequence(self) -> dict[str, np.ndarray]:
        return _union(kind.per_sequence() for kind in self.kinds)


def scores_for(source: SequenceSource, protocol: str = "mim2019") -> ScoreSet:
    """Empty scores of all kinds that make sense for `source`."""
    kinds = [protocol_scores(protocol, source.scale)]
    if source.scale:
        kinds += [PhysicalErrors(source.scale), *map(ConvertedErrors, source.converted)]
        kinds.append(PowerSpectra(source.scale))
    if source.latitude is not None:
        kinds.append(field_scores(source))
    if source.thresholds:
        rule = EVENT_RULES.get(protocol, EventRule())
        events = source.threshold_scale or source.scale, source.thresholds, rule
        kinds.append(CategoricalScores(*events))
        if rule.balanced and source.threshold_scale:
            kinds.append(BalancedErrors(source.threshold_scale))
        if rule.windows:
            kinds.append(FractionsSkillScores(*events))
    return ScoreSet(kinds)


def _union(parts):
    return {name: value for part in parts for name, value in part.items()}
