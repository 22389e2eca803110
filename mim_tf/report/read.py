"""Read what the folder of a run or of an evaluation holds for its page."""

import csv
import dataclasses
import os
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mim_tf.data.files.arrays import member_keys, read_member
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
from mim_tf.storage.paths import read_text

SAMPLES_FILE = "samples.npz"
_BEST = "best.weights.h5"
_RECORD = {
    "command": list,
    "started": str,
    "backend": str,
    **dict.fromkeys(["model", "data", "training", "versions", "sources"], dict),
}


@dataclasses.dataclass(frozen=True)
class Samples:
    """Sequences that an evaluation kept, and their forecasts."""

    truth: np.ndarray  # [N, T, H, W, C], uint8; masked if the evaluation recorded missing values
    forecast: np.ndarray  # [N, horizon, H, W, C], uint8
    index: np.ndarray  # [N], number of the sequence in its source, from 0
    kind: np.ndarray  # [N], first, best, median or worst
    error_map: np.ndarray  # [horizon, H, W], mean squared error over all sequences

    @property
    def future(self) -> np.ndarray:
        """Frames of `truth` that are forecast, `[N, horizon, H, W, C]`."""
        return self.truth[:, -self.forecast.shape[1] :]

    def of(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return truth and forecast of sequence `index`."""
        position = self.index.tolist().index(index)
        return self.truth[position], self.forecast[position]


def shared_indices(samples: list[Samples]) -> list[int]:
    """Return the indices of the sequences that all samples have, sorted."""
    return sorted(set.intersection(*(set(each.index.tolist()) for each in samples)))


class Material(NamedTuple):
    """Content of a report."""

    folder: Path
    evaluation: Evaluation
    samples: Samples
    iteration: int | None  # of the evaluation, in a run
    record: dict | None  # content of run.json, if there is one
    log: dict[str, list[float]]  # columns of train.csv, if there is one
    validations: dict[int, dict]  # iteration -> content of scores.json, of all evaluations


def read_material(folder: str | Path) -> Material:
    """Read a run with its best evaluation, or an evaluation.

    Raises:
        MimError: if there are no scores, or a file is corrupted.
    """
    folder = Path(folder)
    if not os.path.isdir(folder):
        raise MimError(f"Expected the folder of a run or an evaluation, got {folder}.")
    path = find_evaluation(folder).resolve()
    evaluation = read_evaluation(path)
    if "baselines" not in evaluation.scores:
        raise MimError(f"Expected baselines in {path / 'scores.json'}. Evaluate again.")
    validations = {
        int(each.name): read_scores(each / "scores.json")
        for each in evaluations_of(folder)
        if each.name.isdecimal()
    }
    # An evaluation of a run stands in RUN/scores/ITERATION, and the record in RUN.
    within_run = path.parent.name == "scores" and path.name.isdigit()
    records = [folder, *[path.parents[1]] * within_run]
    run = next((each for each in records if os.path.lexists(each / RECORD)), None)
    return Material(
        folder,
        evaluation,
        read_samples(path),
        int(path.name) if within_run else None,
        read_run_record(run) if run else None,
        read_log(folder),
        validations,
    )


def read_run_record(run: Path) -> dict:
    """Return the parts of `run.json` that pages show.

    Raises:
        MimError: if the file is missing or corrupted.
    """
    record = read_json(run / RECORD)
    for name, kind in _RECORD.items():
        if not isinstance(record.get(name), kind):
            raise MimError(f"{run / RECORD} is corrupted or of an older version: no {name} in it.")
    return {name: record[name] for name in _RECORD}


def read_log(run: Path) -> dict[str, list[float]]:
    """Return the columns of `train.csv`; none if there is no such file.

    Raises:
        MimError: if the file is corrupted.
    """
    path = run / "train.csv"
    if not os.path.lexists(path):
        return {}
    text = read_text(path, "a log of numbers")
    # Training may still be writing the last line, or was killed while it did.
    rows = csv.reader(text[: text.rfind("\n") + 1].splitlines())
    try:
        columns = zip(*rows, strict=True)
        log = {name: [float(cell) for cell in cells] for name, *cells in columns}
    except (ValueError, csv.Error) as error:
        raise MimError(f"{path} is corrupted ({error}).") from None
    if not {"iteration", "loss"} <= log.keys():
        raise MimError(f"{path} is corrupted: expected the columns iteration and loss.")
    return log


def read_samples(evaluation: Path) -> Samples:
    """Return the content of `samples.npz` in the folder of an evaluation.

    Raises:
        MimError: if the file is missing or corrupted.
    """
    path = evaluation / SAMPLES_FILE
    names = [field.name for field in dataclasses.fields(Samples)]
    arrays = {name: np.asarray(read_member(path, name)) for name in names}
    counts = {len(arrays[name]) for name in names if name != "error_map"}
    truth, forecast = arrays["truth"].shape, arrays["forecast"].shape
    if (
        (len(truth), len(forecast), len(counts)) != (5, 5, 1)
        or truth[2:] != forecast[2:]
        or arrays["error_map"].shape != forecast[1:4]
    ):
        raise MimError(f"{path} is corrupted: {truth} and {forecast} do not fit. Evaluate again.")
    if "missing" in member_keys(path):
        missing = read_member(path, "missing")
        if missing.shape != truth or missing.dtype != bool:
            raise MimError(f"{path} is corrupted: missing does not fit {truth}. Evaluate again.")
        arrays["truth"] = np.ma.masked_array(arrays["truth"], missing)
    return Samples(**arrays)


class Origin(NamedTuple):
    """Training that made evaluated weights."""

    record: dict
    iteration: int
    updates: int  # several an iteration if batches are also learnt mirrored
    seconds: float | None  # without evaluations; None in runs that did not log it
    processor_seconds: float | None  # of all threads together


def find_origin(folder: str | Path) -> Origin | None:
    """Return the training of the weights evaluated in `folder`; None if it left no record.

    Args:
        folder: folder of a run or of an evaluation. From the evaluation of a weights file the run
            is found by the path of that file, unless it was written again since.

    Raises:
        MimError: if a file of the run is corrupted.
    """
    evaluation = find_evaluation(folder).resolve()
    run, iteration = evaluation.parent.parent, _number(r"(\d+)", evaluation.name)
    if evaluation.parent.name != "scores" or not os.path.lexists(run / RECORD):
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
    return Origin(record, iteration, iteration * 2 ** sum(variants), *times)


def _run_of_weights(evaluation):
    """Return run and iteration of the weights file that was evaluated; None if unknown."""
    record = evaluation / RECORD
    test = read_run_record(evaluation)["sources"].get("test", {}) if os.path.lexists(record) else {}
    weights = Path(str(test.get("pretrained_model", "")))
    run = weights.parent
    if not os.path.isfile(weights) or not os.path.lexists(run / RECORD):
        return run, None
    if weights.stat().st_mtime > (evaluation / "scores.json").stat().st_mtime:
        return run, None
    if weights.name == _BEST and os.path.lexists(run / "best.json"):
        return run, _number(r"(\d+)", str(read_json(run / "best.json").get("iteration")))
    return run, _number(r".*-(\d+)(?:-ema)?\.weights\.h5", weights.name)


def _number(pattern, text):
    match = re.fullmatch(pattern, text)
    return int(match[1]) if match else None
