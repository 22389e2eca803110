"""Read what the folder of a run or of an evaluation holds for its page."""

import contextlib
import os
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
from absl import logging

from mim_tf.data.split import ALL, is_test_validation
from mim_tf.errors import MimError
from mim_tf.evaluation import stored
from mim_tf.runs.folder import RECORD
from mim_tf.runs.record import read_record
from mim_tf.storage.files import check_form, read_json

_RECORD = {
    "command": [str],
    "started": str,
    "folder": (str, None),
    "backend": str,
    "model": {"model_name": str},
    "data": dict,
    "training": {"seed": (int, None)},
    "versions": dict,
    "sources": {...: dict},
}
_LONGEST = 1e10
"""Seconds that a run takes at most; columns of seconds are durations."""


class Material(NamedTuple):
    """Content of a report."""

    evaluation: stored.Evaluation
    samples: stored.Samples
    iteration: int | None  # of the evaluation, in a run
    record: dict | None  # content of run.json, if there is one
    log: dict[str, list[float]]  # columns of train.csv, if there is one
    validations: dict[int, dict]  # iteration -> content of scores.json, of all evaluations


def read_material(folder: str | Path) -> Material:
    """Read a run with its best evaluation, or an evaluation; `MimError` if files are corrupted."""
    folder, evaluation = Path(folder), stored.read_evaluation(folder)
    path = evaluation.folder.resolve()
    if "baselines" not in evaluation.scores:
        raise MimError(f"Expected baselines in {path / 'scores.json'}. Evaluate again.")
    run, iteration = _run_around(path)
    records = [each for each in (folder, run) if each and os.path.lexists(each / RECORD)]
    record = read_run_record(records[0]) if records else None
    samples, log = stored.read_samples(path), read_log(folder)
    validations = _validations(folder, evaluation.scores)
    return Material(evaluation, samples, iteration, record, log, validations)


def _validations(run, best):
    """Return the scores of all evaluations by iteration; log a warning for those left out."""
    found = {}
    for folder in stored.evaluations_of(run):
        number = _number(r"(\d{1,9})", folder.name)
        try:
            scores = stored.read_scores(folder / "scores.json")
            if any(
                scores.get(part, {}).keys() != best[part].keys() for part in ("mean", "baselines")
            ):
                raise MimError(f"{folder} has other scores than the best evaluation.")
        except MimError as error:
            logging.warning("An evaluation is left out of the curves: %s", error)
            continue
        if number is not None:
            found[number] = scores
    return found


def _run_around(evaluation):
    """Return RUN and ITERATION of an evaluation in RUN/scores/ITERATION; None of others."""
    number = _number(r"(\d+)", evaluation.name)
    is_within = evaluation.parent.name == "scores" and number is not None
    return (evaluation.parents[1], number) if is_within else (None, None)


def read_run_record(run: Path) -> dict:
    """Return the parts of `run.json` that pages show; `MimError` if it is corrupted."""
    record = read_json(run / RECORD)
    try:
        check_form(record, _RECORD)
        if not record["command"]:
            raise ValueError("no command in it")
    except ValueError as error:
        raise MimError(f"{run / RECORD} is corrupted or of an older version: {error}.") from None
    others = {name: record.get(name) for name in ("backend", "pretrained_model", "network_module")}
    return {name: record.get(name) for name in _RECORD} | {"others": others}


def read_log(run: Path) -> dict[str, list[float]]:
    """Return the columns of `train.csv`, none if it is missing; `MimError` if it is corrupted."""
    path = run / "train.csv"
    return stored.parsed(path, _log, "Restore a copy of it.") if os.path.lexists(path) else {}


def _log(text):
    # Training may still be writing the last line, or was killed while it did.
    log = stored.parse_columns(text[: text.rfind("\n") + 1])
    if not {"iteration", "loss"} <= log.keys():
        raise ValueError("expected the columns iteration and loss")
    for name, values in log.items():
        low, high = (0, _LONGEST) if "seconds" in name else (-np.inf, np.inf)
        if not (np.isfinite(values) & (low <= values) & (values <= high)).all():
            raise ValueError(f"expected finite numbers as {name}, got others")
    return {name: values.tolist() for name, values in log.items()}


class Origin(NamedTuple):
    """Training that made evaluated weights."""

    record: dict
    iteration: int
    updates: int  # several an iteration if batches are also learnt mirrored
    # Time without evaluations, and processor time of all threads; None in runs that did not log it.
    seconds: list[float | None]


def find_origin(evaluation: Path) -> Origin | None:
    """Return the training of the weights of an evaluation; None if it left no record.

    From the evaluation of a weights file the run is found by the path of that file, unless it was
    written again since. Raises `MimError` if a file of the run is corrupted.
    """
    evaluation = evaluation.resolve()
    run, iteration = _run_around(evaluation)
    if run is None or not os.path.lexists(run / RECORD):
        run, iteration = _run_of_weights(evaluation)
    if iteration is None:
        return None
    record, log = read_run_record(run), read_log(run)
    variants = [bool(record["training"].get(each)) for each in ("reverse_img", "reverse_input")]
    rows = sum(each <= iteration for each in log.get("iteration", []))
    times = [
        log[name][rows - 1] if rows and name in log else None
        for name in ("seconds", "processor_seconds")
    ]
    return Origin(record, iteration, iteration * 2 ** sum(variants), times)


def changes_of(evaluation: Path) -> str:
    """Return the flags of `mim evaluate` that change forecasts, with spaces between them."""
    return str(_tested(evaluation).get("changes", ""))


def split_of(evaluation: Path, sha256: str) -> str:
    """Return of which split the scores of sequences with that SHA-256 are, as a sentence.

    It also says whether the weights were chosen on these sequences, and what `changes_of` does.
    """
    words = _split(evaluation, sha256)
    changes = changes_of(evaluation)
    return f"{words} Forecasts were made with {changes}." if changes else words


def _split(evaluation, sha256):
    evaluation = evaluation.resolve()
    run, _ = _run_around(evaluation)
    if run is not None and os.path.lexists(run / RECORD):
        return "The scores are of the validation split, on which the weights were chosen."
    if not (test := _tested(evaluation)):
        return "Of which split the scores are is not recorded."
    if test.get("trained_on"):
        return "The scores are too good: the weights were trained on some of these recordings."
    if test.get("split") == ALL:
        return "The scores are of all sequences of data that the weights were not trained on."
    run, iteration = _run_of_weights(evaluation)
    best = run / "best.json"
    if iteration is not None and os.path.lexists(best) and read_json(best).get("sha256") == sha256:
        return "The scores are of the test split, and the weights were chosen on its sequences."
    with contextlib.suppress(MimError):  # settings that this version does not know
        if is_test_validation(read_record(evaluation)[1]):
            return (
                "The scores are of the test split, which is the validation split too. They are "
                "too good if the weights were chosen on it."
            )
    return "The scores are of the test split."


def _run_of_weights(evaluation):
    """Return run and iteration of the weights file that was evaluated; None if unknown."""
    weights = Path(str(_tested(evaluation).get("pretrained_model", "")))
    run = weights.parent
    if (
        not os.path.isfile(weights)
        or not os.path.lexists(run / RECORD)
        or weights.stat().st_mtime > (evaluation / "scores.json").stat().st_mtime
    ):
        return run, None
    if weights.name == "best.weights.h5" and os.path.lexists(run / "best.json"):
        return run, _number(r"(\d+)", str(read_json(run / "best.json").get("iteration")))
    return run, _number(r".*-(\d+)(?:-ema)?\.weights\.h5", weights.name)


def _tested(evaluation):
    """Return what the record of an evaluation says of it; nothing if there is none."""
    if not os.path.lexists(evaluation / RECORD):
        return {}
    return read_run_record(evaluation)["sources"].get("test", {})


def _number(pattern, text):
    match = re.fullmatch(pattern, text)
    return int(match[1]) if match else None
