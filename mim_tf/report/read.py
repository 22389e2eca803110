"""All that a folder of a run or of an evaluation holds for its report."""

import csv
import dataclasses
import os
from pathlib import Path

import numpy as np

from mim_tf.data.files.npz_member import read_member
from mim_tf.errors import MimError
from mim_tf.evaluation.read import Evaluation, evaluations_of, find_evaluation, read_evaluation
from mim_tf.given_path import parse_json, read_text

SAMPLES = ("truth", "forecast", "index", "kind", "error_map")
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
        losses: `iteration` and `loss` of `train.csv`; empty where there is none.
        validations: iteration -> content of `scores.json`, of all evaluations of a run.
    """

    folder: Path
    evaluation: Evaluation
    samples: dict[str, np.ndarray]
    iteration: int | None
    record: dict | None
    losses: tuple[list[int], list[float]]
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
    _parsed(path / "scores.json", _scores)
    validations = {
        int(each.name): _parsed(each / "scores.json", _scores)
        for each in evaluations_of(folder)
        if each.name.isdecimal()
    }
    within_run = path.parent.name == "scores" and path.name.isdigit()
    records = [folder / "run.json"] + [path.parents[1] / "run.json"] * within_run
    record = next((each for each in records if os.path.lexists(each)), None)
    log = folder / "train.csv"
    return Material(
        folder,
        read_evaluation(path),
        read_samples(path),
        int(path.name) if within_run else None,
        _parsed(record, _record) if record else None,
        _parsed(log, _losses) if os.path.lexists(log) else ([], []),
        validations,
    )


def read_samples(evaluation: Path) -> dict[str, np.ndarray]:
    """The arrays of `samples.npz` in the folder of an evaluation.

    Raises:
        MimError: the file is missing or damaged.
    """
    path = evaluation / "samples.npz"
    samples = {name: np.asarray(read_member(path, name)) for name in SAMPLES}
    sequences = len(samples["index"])
    truth, forecast = samples["truth"].shape, samples["forecast"].shape
    if (
        len(truth) != 5
        or (truth[0], *truth[2:]) != (forecast[0], *forecast[2:])
        or (truth[0] != sequences or len(samples["kind"]) != sequences)
    ):
        raise MimError(f"{path} is damaged: {truth} and {forecast} do not fit. Evaluate again.")
    return samples


def _parsed(path, parse):
    try:
        return parse(read_text(path, "a file of an evaluation"))
    except MimError:
        raise
    except (ValueError, TypeError, IndexError, KeyError, AttributeError, csv.Error) as error:
        raise MimError(f"{path} is damaged or of an older version ({error}).") from None


def _scores(text):
    """All parts that curves and tables are made of, or an error."""
    scores = parse_json(text)
    horizon = len(scores["per_frame"]["mse"])
    for part in (scores, *scores["baselines"].values()):
        for name in scores["mean"]:
            if "mean" not in part or len(part["per_frame"][name]) != horizon:
                raise ValueError(f"{name} is incomplete")
    return scores


def _record(text):
    record = parse_json(text)
    return {name: record[name] for name in _RECORD}


def _losses(text):
    # A row that is being written, or was when the process was killed, is none.
    header, *rows = csv.reader(text[: text.rfind("\n") + 1].splitlines())
    x, y = header.index("iteration"), header.index("loss")
    return [int(row[x]) for row in rows], [float(row[y]) for row in rows]
