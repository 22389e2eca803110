"""Evaluations as the methods of a comparison: named as in papers, runs of several seeds together.

Runs whose records differ in nothing but the seed are one method. Its scores are the means of its
runs. Its intervals have two levels: each resample of recordings is moved by a normal deviate, as
far as the mean of so many seeds varies. The deviate is widened so that its 95 % interval is that of
Student's t distribution, less what `interval` adds for few recordings. Resampling a few seeds
themselves would make intervals too narrow.
"""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from absl import logging
from scipy import stats

from mim_tf.errors import MimError
from mim_tf.evaluation.compare import Comparison, compare
from mim_tf.evaluation.errors import score_title
from mim_tf.evaluation.statistics import (
    FEW,
    LEVEL,
    SEED,
    as_json,
    groups_with,
    intervals,
    widening,
)
from mim_tf.evaluation.stored import Evaluation, basis
from mim_tf.report.read import changes_of, find_origin, split_of

NETWORKS = {
    "mim": "MIM",
    "mim_star": "MIM*",
    "convlstm_net": "ConvLSTM",
    "predrnn": "PredRNN",
    "predrnn_pp": "PredRNN++",
}
"""Names of networks as in papers."""

_FREE = ("seed", "save_dir", "gen_frm_dir")
"""Settings of a training that runs of one method may differ in."""


def compare_methods(folders: Sequence[str | Path], names: Sequence[str] = ()) -> Comparison:
    """Compare runs or evaluations as methods; several seeds of one configuration are one method.

    `names` are of the methods, or of all runs, which then stay apart. By default a method has the
    name of its network or, if networks are equal or unknown, what differs in the paths. Raises
    `MimError` as `compare`.
    """
    if len(names) == len(folders):
        return compare(folders, names)
    apart = compare(folders)
    runs = [(each, _origin(each)) for each in apart.evaluations]
    groups = _seeds_together(runs) if apart.is_paired else [[run] for run in runs]
    if names and (len(names) != len(groups) or len(set(names)) < len(names)):
        count = f"{len(groups)} different --names, one for each method"
        if len(groups) < len(folders):
            count += f", or {len(folders)}, one for each run"
        raise MimError(f"Expected {count}, got {', '.join(names)}.")
    methods = enumerate(zip(groups, names or _titles(groups), strict=True))
    return Comparison(
        [
            _mean_of_seeds([evaluation for evaluation, _ in group], title, place)
            for place, (group, title) in methods
        ]
    )


def _origin(evaluation):
    """Return the training of an evaluation; a corrupted record only logs a warning."""
    try:
        return find_origin(evaluation.folder)
    except MimError as error:
        logging.warning("%s is named by its path: %s", evaluation.name, error)
        return None


def notes(comparison: Comparison) -> list[str]:
    """Return sentences about all numbers: how many sequences, which split, which seeds."""
    first, *_ = comparison.evaluations
    splits: dict[str, list[str]] = {}
    for run in comparison.runs:
        words = split_of(run.folder, run.scores["data"]["sha256"])
        splits.setdefault(words, []).append(run.name)
    found = [f"{basis(first.scores)} Intervals are of 95 %."]
    if first.groups is not None and len(np.unique(first.groups)) >= FEW:
        counts = {n: groups_with(first.groups, first.per_sequence[n]) for n in comparison.scores}
        few = [f"{score_title(n)} in {count}" for n, count in counts.items() if 1 < count < FEW]
        if few:
            words = "Defined in so few of them that the intervals are rough"
            found.append(f"{words}: {', '.join(few)}.")
    for words, names in splits.items():
        found.append(f"{', '.join(names)}: {words}" if len(splits) > 1 else words)
    several = [each.name for each in comparison.evaluations if each.seeds]
    if len(several) == len(comparison.evaluations):
        found.append("The intervals include the spread of the seeds.")
    elif several:
        words = "is of one seed, whose effect its interval does not include"
        found += [f"{each.name} {words}." for each in comparison.evaluations if not each.seeds]
    else:
        found.append("The effect of another training seed is not included.")
    return found


def _seeds_together(runs):
    """Return the runs, evaluations with their training, of each method."""
    by_setup: dict[object, list] = {}
    for number, (evaluation, origin) in enumerate(runs):
        setup = (_setup(origin.record), changes_of(evaluation.folder)) if origin else number
        by_setup.setdefault(setup, []).append((evaluation, origin))
    groups = []
    for group in by_setup.values():
        seeds = {origin.record["training"].get("seed") for _, origin in group if group[1:]}
        # Two evaluations of one run are not two seeds.
        groups += [group] if len(seeds) in (0, len(group)) else [[run] for run in group]
    return groups


def _setup(record):
    """Return all that has to be equal in runs of one method."""
    training = {name: each for name, each in record["training"].items() if name not in _FREE}
    if training.get("max_minutes"):
        training.pop("max_iterations", None)  # follows from the speed of the machine
    parts = [training, *(record[name] for name in ("model", "data", "others"))]
    return json.dumps(parts, sort_keys=True)


def _titles(groups):
    """Return the networks' names if they differ, else the names of the first runs."""
    firsts = [group[0] for group in groups]
    names = [origin and origin.record["model"].get("model_name") for _, origin in firsts]
    if None in names or len(set(names)) < len(names):
        names = [evaluation.name for evaluation, _ in firsts]
    return [
        NETWORKS.get(name, name) + (f" ({len(group)} seeds)" if group[1:] else "")
        for name, group in zip(names, groups, strict=True)
    ]


def _mean_of_seeds(runs: list[Evaluation], name: str, place: int) -> Evaluation:
    """Return the mean of runs with different seeds as one evaluation."""
    first, count = runs[0], len(runs)
    if count == 1 or first.groups is None:
        return dataclasses.replace(first, name=name)

    shared = Comparison(runs).scores  # such as CSI, if all have the same thresholds

    def of_runs(part):
        names = [name for name in first.scores[part] if name in shared]
        return {name: np.array([run.scores[part][name] for run in runs], float) for name in names}

    means, curves = of_runs("mean"), of_runs("per_frame")
    # Other draws for each method, because seeds are not paired.
    widened = stats.t.ppf((1 + LEVEL) / 2, count - 1) / stats.norm.ppf((1 + LEVEL) / 2)
    drawn = {score: np.mean([(run.resamples or {})[score] for run in runs], 0) for score in means}
    width = widened / np.sqrt(count)
    moves = np.random.default_rng([SEED, place]).normal(0, width, len(drawn["mse"]))
    per_sequence = {
        score: np.mean([run.per_sequence[score] for run in runs], axis=0) for score in means
    }
    resamples = {
        score: values
        + moves
        * means[score].std(ddof=1)
        / widening(groups_with(first.groups, per_sequence[score]))
        for score, values in drawn.items()
    }
    mean = {score: as_json(values.mean()) for score, values in means.items()}
    scores = {
        **first.scores,
        "mean": mean,
        "per_frame": {
            score: list(map(as_json, each.mean(axis=0))) for score, each in curves.items()
        },
        "intervals": intervals(mean, resamples, first.groups, per_sequence),
    }
    seeds = tuple(dataclasses.replace(run, name=f"{name}, {run.name}") for run in runs)
    return dataclasses.replace(
        first, name=name, scores=scores, per_sequence=per_sequence, resamples=resamples, seeds=seeds
    )
