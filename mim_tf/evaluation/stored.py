"""Evaluations in folders: written, read back, and as a table for the terminal."""

import csv
import dataclasses
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import numpy as np

from mim_tf.data.files.arrays import member_keys, read_member
from mim_tf.errors import MimError
from mim_tf.evaluation.statistics import as_json
from mim_tf.storage.files import write_json, write_npz
from mim_tf.storage.paths import list_folder, parse_json, read_text, replaced_whole

T = TypeVar("T")

ARRAYS = ("per_sequence", "groups", "resamples", "samples")
"""Parts of a result that `scores.json` does not contain."""

GROUPS = "recording"
RESAMPLES = "resamples.npz"
SAMPLES = "samples.npz"
FEW = 10
"""Groups below which a bootstrap interval is rough."""

WIDTH = 80
_NEEDED = ("sequences", "mean", "per_frame", "intervals", "protocol", "input_length", "data")
_AGAIN = "Evaluate again with this version."


def write_scores(folder: str | Path, result: dict, input_length: int) -> None:
    """Write an evaluation.

    - `scores.json`: `result` without what the other files hold
    - `scores.csv`: one row per predicted frame, from frame `input_length + 1` on, then the mean
    - `per_sequence.csv`: one row per sequence, from 1 on, with its scores over all lead times, and
      the number of its recording
    - `resamples.npz`: each mean score in 2,000 bootstrap resamples, of which differences between
      models and their intervals are made
    - `samples.npz`: the arrays of `samples`

    Each file is written atomically. A score that is None or NaN leaves its cell empty. The folder
    is made where missing; an older evaluation in it is replaced. Without one of `ARRAYS` in the
    result there is no file of it.
    """
    folder = Path(folder)
    parts = {name: value for name, value in result.items() if name not in ARRAYS}
    json.dumps(parts, allow_nan=False)  # fails before anything is written
    folder.mkdir(parents=True, exist_ok=True)
    _write_csv(folder / "scores.csv", _rows(result, input_length))
    if "per_sequence" in result:
        columns = {"sequence": range(1, result["sequences"] + 1)}
        if "groups" in result:
            columns[GROUPS] = (np.asarray(result["groups"]) + 1).tolist()
        columns |= {name: map(as_json, values) for name, values in result["per_sequence"].items()}
        _write_csv(folder / "per_sequence.csv", [columns, *zip(*columns.values(), strict=True)])
    if "resamples" in result:
        means = np.stack([result["resamples"][name] for name in result["mean"]])
        write_npz(folder / RESAMPLES, means=np.float32(means))
    if "samples" in result:
        write_npz(folder / SAMPLES, **result["samples"])
    # Last, so that whoever finds it finds the others too.
    write_json(folder / "scores.json", parts)


def _write_csv(path, rows):
    with (
        replaced_whole(path) as part,
        part.open("w", newline="", encoding="utf-8") as file,
    ):
        csv.writer(file, lineterminator="\n").writerows(rows)


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """One evaluation that `write_scores` wrote. Those of 1.2 and before have no resamples."""

    name: str  # what tables and curves call it
    scores: dict  # content of scores.json
    per_sequence: dict[str, np.ndarray]  # score -> [sequences], NaN where undefined
    groups: np.ndarray | None = None  # number of each sequence's recording
    resamples: dict[str, np.ndarray] | None = None  # score -> its mean in each resample, or NaN
    folder: Path = Path()
    seeds: tuple["Evaluation", ...] = ()  # runs of several seeds whose mean it is


def read_evaluation(folder: str | Path, name: str = "") -> Evaluation:
    """Read the evaluation in `folder`, or of a run the evaluation of its best weights."""
    path = find_evaluation(folder)
    scores = read_scores(path / "scores.json")
    per_sequence = parsed(path / "per_sequence.csv", lambda text: parse_columns(text, "nan"))
    per_sequence.pop("sequence", None)
    groups = per_sequence.pop(GROUPS, None)
    lengths = {len(values) for values in per_sequence.values()}
    if set(per_sequence) != set(scores["mean"]) or lengths != {scores["sequences"]}:
        raise MimError(f"{path / 'per_sequence.csv'} does not fit scores.json. {_AGAIN}")
    resamples = None
    if groups is not None and os.path.lexists(path / RESAMPLES):
        means = read_member(path / RESAMPLES, "means", "f", 2)
        if len(means) != len(per_sequence):
            raise MimError(f"{path / RESAMPLES} does not fit scores.json. {_AGAIN}")
        resamples = dict(zip(scores["mean"], means, strict=True))
    return Evaluation(name or str(folder), scores, per_sequence, groups, resamples, path)


def find_evaluation(folder: str | Path) -> Path:
    """Return `folder` if it holds `scores.json`; of a run the best evaluation, else the last."""
    folder = Path(folder)
    if os.path.isfile(folder / "scores.json"):
        return folder
    list_folder(folder, "the folder of a run or an evaluation")  # raises if it is missing
    found = {path.name: path for path in evaluations_of(folder)}
    if not found:
        raise MimError(
            f"Expected scores.json, or a run with scores/*/scores.json, in {folder}, found none."
        )
    best, last = folder / "best.json", max(found)
    if os.path.lexists(best):
        last = parsed(best, lambda text: f"{parse_json(text)['iteration']:06d}")
    return found.get(last, found[max(found)])


def evaluations_of(run: Path) -> list[Path]:
    """Return the folders of the evaluations of a run, sorted; none where it has no `scores`."""
    folders = list_folder(run / "scores") if os.path.isdir(run / "scores") else []
    return [f for f in folders if os.path.isdir(f) and f / "scores.json" in list_folder(f)]


def read_scores(path: Path) -> dict:
    """Return the content of a `scores.json`; `MimError` if it is missing or corrupted."""
    return parsed(path, _scores)


def parsed(path: Path, parse: Callable[[str], T], remedy: str = _AGAIN) -> T:
    """Return what `parse` makes of the text of a file of a run or an evaluation.

    Whatever wrong content leads to in `parse` is raised as a `MimError`, as is a missing file.
    """
    try:
        return parse(read_text(path, "a file of an evaluation"))
    except MimError as error:
        raise MimError(f"{error} {remedy}") from None
    except (ValueError, TypeError, LookupError, AttributeError, csv.Error) as error:
        raise MimError(f"{path} is corrupted or of an older version ({error}). {remedy}") from None


def _scores(text):
    """Return all that tables and curves are made of."""
    scores = parse_json(text)
    missing = [name for name in _NEEDED if name not in scores]
    if missing:
        raise ValueError(f"no {missing[0]} in it")
    scores["data"]["sha256"][:8]
    _numbers([scores["sequences"], scores.get("recordings")], 2)
    horizon = len(scores["per_frame"]["mse"])
    for name in scores["mean"]:
        _numbers(scores["intervals"][name] or [0, 0], 2)
        for part in (scores, *scores.get("baselines", {}).values()):
            _numbers([part["mean"][name]], 1)
            _numbers(part["per_frame"][name], horizon)
    return scores


def _numbers(values, count):
    if len(values) != count or not all(type(x) in (int, float, type(None)) for x in values):
        raise ValueError(f"{values!r:.40} instead of {count} numbers")


def parse_columns(text: str, empty: str = "") -> dict[str, np.ndarray]:
    """Return the columns of a CSV file of numbers by name; an empty cell stands for `empty`."""
    if not text.endswith("\n"):
        raise ValueError("it ends within a row")
    table = zip(*csv.reader(text.splitlines()), strict=True)
    return {name: np.array([float(cell or empty) for cell in cells]) for name, *cells in table}


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


def read_samples(evaluation: Path) -> Samples:
    """Return the content of `samples.npz` in an evaluation; `MimError` if it is corrupted."""
    path = evaluation / SAMPLES
    names = [field.name for field in dataclasses.fields(Samples)]
    arrays = {name: np.asarray(read_member(path, name)) for name in names}
    truth, forecast = arrays["truth"].shape, arrays["forecast"].shape
    missing = read_member(path, "missing") if "missing" in member_keys(path) else None
    if (
        len({len(arrays[name]) for name in names if name != "error_map"}) > 1
        or (len(truth), len(forecast), *truth[2:]) != (5, 5, *forecast[2:])
        or arrays["error_map"].shape != forecast[1:4]
        or (missing is not None and (missing.dtype, missing.shape) != (bool, truth))
    ):
        raise MimError(f"{path} is corrupted: its arrays do not fit together. {_AGAIN}")
    if missing is not None:
        arrays["truth"] = np.ma.masked_array(arrays["truth"], missing)
    return Samples(**arrays)


def shared_indices(samples: Iterable[Samples]) -> list[int]:
    """Return the indices of the sequences that all samples have, sorted."""
    return sorted(set.intersection(*(set(each.index.tolist()) for each in samples)))


def basis(scores: dict) -> str:
    """Return what the intervals of `scores.json` rest on, such as "64 windows of 12 recordings"."""
    count, groups = scores["sequences"], scores.get("recordings")
    if groups is None:
        return (
            f"{count:,} sequences. The intervals assume independent sequences; if they are "
            "windows that overlap, the intervals are too narrow. Evaluate again to correct them."
        )
    whole = groups <= len(scores["data"].get("recordings", ()))
    words = f"{count:,} windows of {groups:,} {'recordings' if whole else 'blocks of time'}"
    if groups == count:
        words = f"{count:,} sequences"
    return f"{words}: the intervals are rough." if groups < FEW else f"{words}."


def format_scores(result: dict, input_length: int) -> str:
    """Return the rows of the CSV file as aligned text, without a last line break; None is `-`.

    Scores that do not fit into 80 characters stand in further tables below.
    """
    header, *rows = _rows(result, input_length)
    cells = [header, *([str(row[0]), *map(_decimal, row[1:])] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    padded = [[cell.rjust(w) for cell, w in zip(row, widths, strict=True)] for row in cells]
    frames, *columns = zip(*padded, strict=True)
    tables = [[frames]]
    for column in columns:
        if len("  ".join(part[0] for part in [*tables[-1], column])) > WIDTH:
            tables.append([frames])
        tables[-1].append(column)
    return "\n\n".join("\n".join(map("  ".join, zip(*each, strict=True))) for each in tables)


def _rows(result, input_length):
    columns = zip(*(result["per_frame"][name] for name in result["mean"]), strict=True)
    frames = [[number, *scores] for number, scores in enumerate(columns, input_length + 1)]
    return [["frame", *result["mean"]], *frames, ["mean", *result["mean"].values()]]


def _decimal(score):
    return "-" if score is None else f"{score:z.4f}"
