"""Where the weights of an evaluation come from: the run, and what they cost in it."""

import dataclasses
import os
import re
from pathlib import Path

from mim_tf.evaluation.read import find_evaluation
from mim_tf.json_file import read_json
from mim_tf.report.read import read_log, read_run_record
from mim_tf.runs.folder import RECORD

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
