"""Which of several evaluations is better, and whether that is certain."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mim_tf.errors import MimError
from mim_tf.evaluation.bootstrap import mean_interval
from mim_tf.evaluation.direction import direction
from mim_tf.evaluation.read import Evaluation, read_evaluation


@dataclasses.dataclass(frozen=True)
class Difference:
    """What `other` scores more than `first`, as the mean over sequences where both are defined.

    Attributes:
        interval: 95 %, of a paired bootstrap over sequences; None for fewer than two.
        better: name of the better one; None where the score is no question of better (sharpness),
            or where they are equal.
        certain: whether the interval leaves out 0.
    """

    first: str
    other: str
    score: str
    mean: float | None
    interval: list[float] | None
    better: str | None
    certain: bool


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Evaluations on the same sequences.

    Attributes:
        evaluations: in the order given.
        differences: of each later one from the first, for each score.
    """

    evaluations: list[Evaluation]
    differences: list[Difference]

    @property
    def scores(self) -> list[str]:
        """Names of the scores that all evaluations have."""
        first, *others = (evaluation.scores["mean"] for evaluation in self.evaluations)
        return [name for name in first if all(name in mean for mean in others)]

    def curves(self, score: str) -> dict[str, list[float | None]]:
        """A score by lead time `[horizon]`, of each evaluation and of the baselines."""
        parts = {each.name: each.scores for each in self.evaluations}
        parts |= self.evaluations[0].scores.get("baselines", {})
        return {name: part["per_frame"][score] for name, part in parts.items()}

    def conclusion(self, score: str = "mse") -> list[str]:
        """One sentence for each later evaluation: which is better, and whether that is certain."""
        return [_sentence(each) for each in self.differences if each.score == score]


def compare(folders: Sequence[str | Path]) -> Comparison:
    """Compares evaluations, or the best evaluations of runs, with the first of them.

    Args:
        folders: two or more, of runs or of evaluations. Their names are what differs in the paths.

    Raises:
        MimError: an evaluation is missing or damaged, or they are not of the same sequences,
            lengths and protocol.
    """
    if len(folders) < 2:
        raise MimError(f"Expected two evaluations to compare or more, received {len(folders)}.")
    paths = [Path(os.path.realpath(folder)) for folder in folders]
    if len(set(paths)) < len(paths):
        raise MimError("Expected different evaluations, received the same folder twice.")
    parent = os.path.commonpath([path.parent for path in paths])
    first, *others = evaluations = [
        read_evaluation(folder, name=os.path.relpath(path, parent))
        for folder, path in zip(folders, paths, strict=True)
    ]
    for other in others:
        _check_same_test(first, other)
    comparison = Comparison(evaluations, [])
    for other in others:
        comparison.differences.extend(
            _difference(first, other, score) for score in comparison.scores
        )
    return comparison


def _check_same_test(first, other):
    for name, description in (
        ("protocol", "protocol"),
        ("input_length", "context length"),
        ("sequences", "number of sequences"),
    ):
        ours, theirs = first.scores[name], other.scores[name]
        if ours != theirs:
            raise MimError(
                f"{other.name} cannot be compared with {first.name}: its {description} is "
                f"{theirs}, not {ours}. Evaluate both in the same way."
            )
    ours, theirs = first.scores["data"], other.scores["data"]
    if ours["sha256"] != theirs["sha256"]:
        raise MimError(
            f"{other.name} cannot be compared with {first.name}: it was evaluated on other "
            f"sequences ({_described(theirs)}; not {_described(ours)}). Evaluate both on one set."
        )


def _described(data):
    return f"{data.get('source', 'unknown source')}, SHA-256 {data['sha256'][:8]}"


def _difference(first, other, score):
    values = other.per_sequence[score] - first.per_sequence[score]
    values = values[~np.isnan(values)]
    mean, interval = (values.mean() if values.size else None), mean_interval(values)
    sign = direction(score) * np.sign(mean or 0)
    better = {1: other.name, -1: first.name}.get(sign)
    certain = interval is not None and not interval[0] <= 0 <= interval[1]
    return Difference(
        first.name, other.name, score, mean, interval, better, bool(better) and certain
    )


def _sentence(difference):
    if difference.better is None:
        return f"{difference.other} and {difference.first} do not differ in {difference.score}."
    worse = ({difference.first, difference.other} - {difference.better}).pop()
    certainty = "certain" if difference.certain else "not certain"
    low, high = difference.interval or (difference.mean, difference.mean)
    return (
        f"{difference.better} is better than {worse} in {difference.score}, which is {certainty}: "
        f"the difference of {difference.other} is {difference.mean:+.4g} "
        f"[{low:+.4g}, {high:+.4g}]."
    )
