"""All that a folder of a run or of an evaluation holds for its report."""

import csv
import dataclasses
import os
import re
from pathlib import Path

import numpy as np

from mim_tf.data.files.npz_member import member_keys, read_member
from mim_tf.errors import MimError
from mim_tf.evaluation.stored import (
    Evaluation,
    evaluations_of,
    find_evaluation,
    read_evaluation,
    read_scores,
)
from mim_tf.runs.folder import RECORD
from mim_tf.storage.files import read_json
from mim_tf.storage.paths import parse_json, read_text

SAMPLES_FILE = "samples.npz"
SAMPLES = ("truth", "forecast", "index", "kind", "error_map")
_TABLES = ("model", "data", "training", "versions", "sources")
_RECORD = ("command", "started", "model", "data", "training", "versions", "backend", "sources")


@dataclasses.dataclass(frozen=True)
class Material:
    """What a report is made of.

    Attributes:
        folder: of the run or the evaluation.
        evaluation: the one shown.
        samples: the arrays of `samples.npz`.
        iteration: of the evaluation in a run, else None.
        record: the content of `run.json`; None where there is none.
        log: column -> numbers of `train.csv`; empty where there is none.
        validations: iteration -> content of `scores.json`, of all evaluations of a run.
    """

    folder: Path
    evaluation: Evaluation
    samples: dict[str, np.ndarray]
    iteration: int | None
    record: dict | None
    log: dict[str, list[float]]
    validations: dict[int, dict]


def read_material(folder: str | Path) -> Material:
    """Reads a run with its best evaluation, or an evaluation.

    Raises:
        MimError: there are no scores, or a file is damaged.
    """
    folder = Path(folder)
    if not os.path.isdir(folder):
        raise MimError(f"{folder} is no folder. Give that of a run or of an evaluation.")
    path = find_evaluation(folder).resolve()
    evaluation = read_evaluation(path)
    if "baselines" not in evaluation.scores:
        raise MimError(f"{path / 'scores.json'} is of a version without baselines. Evaluate again.")
    validations = {
        int(each.name): read_scores(each / "scores.json")
        for each in evaluations_of(folder)
        if each.name.isdecimal()
    }
    within_run = path.parent.name == "scores" and path.name.isdigit()
    records = [folder / "run.json"] + [path.parents[1] / "run.json"] * within_run
    record = next((each for each in records if os.path.lexists(each)), None)
    return Material(
        folder,
        evaluation,
        read_samples(path),
        int(path.name) if within_run else None,
        read_run_record(record.parent) if record else None,
        read_log(folder),
        validations,
    )


def read_run_record(run: Path) -> dict:
    """The parts of `run.json` that pages show.

    Raises:
        MimError: it is missing or damaged.
    """
    return _parsed(run / "run.json", _record)


def read_log(run: Path) -> dict[str, list[float]]:
    """The columns of `train.csv`; none where there is no such file.

    Raises:
        MimError: it is damaged.
    """
    path = run / "train.csv"
    return _parsed(path, _columns) if os.path.lexists(path) else {}


def read_samples(evaluation: Path) -> dict[str, np.ndarray]:
    """The arrays of `samples.npz` in the folder of an evaluation.

    Where values can be missing, `truth` is masked; evaluations of 1.1 and before do not tell.

    Raises:
        MimError: the file is missing or damaged.
    """
    path = evaluation / SAMPLES_FILE
    samples = {name: np.asarray(read_member(path, name)) for name in SAMPLES}
    counts = {len(samples[name]) for name in SAMPLES if name != "error_map"}
    truth, forecast = samples["truth"].shape, samples["forecast"].shape
    if (
        (len(truth), len(forecast), len(counts)) != (5, 5, 1)
        or truth[2:] != forecast[2:]
        or samples["error_map"].shape != forecast[1:4]
    ):
        raise MimError(f"{path} is damaged: {truth} and {forecast} do not fit. Evaluate again.")
    if "missing" in member_keys(path):
        missing = read_member(path, "missing")
        if missing.shape != truth or missing.dtype != bool:
            raise MimError(f"{path} is damaged: missing does not fit {truth}. Evaluate again.")
        samples["truth"] = np.ma.masked_array(samples["truth"], missing)
    return samples


def _parsed(path, parse):
    try:
        return parse(read_text(path, "a file of an evaluation"))
    except MimError:
        raise
    except (ValueError, TypeError, LookupError, AttributeError, csv.Error) as error:
        raise MimError(f"{path} is damaged or of an older version ({error}).") from None


def _record(text):
    record = parse_json(text)
    for name in _TABLES:
        dict(record[name])
    return {name: record[name] for name in _RECORD}


def _columns(text):
    # A row that is being written, or was when the process was killed, is none.
    header, *rows = csv.reader(text[: text.rfind("\n") + 1].splitlines())
    columns = [[float(cell) for cell in column] for column in zip(*rows, strict=True)]
    log = dict(zip(header, columns or [[] for _ in header], strict=True))
    log["iteration"], log["loss"]  # a file without them is another
    return log


# MERGED: Where the weights of an evaluation come from: the run, and what they cost in it.


BEST = "best.weights.h5"


@dataclasses.dataclass(frozen=True)
class Origin:
    """The training of evaluated weights, as far as it is known.

    Attributes:
        record: what `read_run_record` says of it.
        iteration: of the weights.
        updates: until then; several an iteration where batches are also learnt mirrored.
        seconds, processor_seconds: until then, without evaluations; None in runs that did not
            log them. The second is of all processor threads.
    """

    record: dict
    iteration: int
    updates: int
    seconds: float | None
    processor_seconds: float | None


def find_origin(folder: str | Path) -> Origin | None:
    """The training that made the weights evaluated in `folder`; None where it left no record.

    Args:
        folder: of a run or of an evaluation. One of a weights file is followed to its run, unless
            the file has been written again since.

    Raises:
        MimError: a file of the run is damaged.
    """
    evaluation = find_evaluation(folder).resolve()
    run, iteration = evaluation.parent.parent, _number(r"(\d+)", evaluation.name)
    if evaluation.parent.name != "scores" or not os.path.lexists(run / RECORD):
        run, iteration = _of_weights(evaluation)
    if iteration is None:
        return None
    record = read_run_record(run)
    variants = [bool(record["training"].get(each)) for each in ("reverse_img", "reverse_input")]
    log = read_log(run)
    rows = sum(each <= iteration for each in log.get("iteration", []))

    def logged(column):
        return log[column][rows - 1] if column in log and rows else None

    return Origin(
        record,
        iteration,
        iteration * 2 ** sum(variants),
        logged("seconds"),
        logged("processor_seconds"),
    )


def _of_weights(evaluation):
    """The run and the iteration of the weights file that was evaluated."""
    record = evaluation / RECORD
    test = read_run_record(evaluation)["sources"].get("test", {}) if os.path.lexists(record) else {}
    weights = Path(str(test.get("pretrained_model", "")))
    run = weights.parent
    if not os.path.isfile(weights) or not os.path.lexists(run / RECORD):
        return run, None
    if weights.stat().st_mtime > (evaluation / "scores.json").stat().st_mtime:
        return run, None
    if weights.name == BEST and os.path.lexists(run / "best.json"):
        return run, _number(r"(\d+)", str(read_json(run / "best.json").get("iteration")))
    return run, _number(r".*-(\d+)(?:-ema)?\.weights\.h5", weights.name)


def _number(pattern, text):
    match = re.fullmatch(pattern, text)
    return int(match[1]) if match else None
