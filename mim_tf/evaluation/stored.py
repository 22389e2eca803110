"""Evaluations in folders: written, read back, and as a table for the terminal."""

import csv
import dataclasses
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import numpy as np
from absl import logging

from mim_tf.data.files.arrays import member_keys, read_member
from mim_tf.data.files.images import in_natural_order
from mim_tf.errors import MimError
from mim_tf.evaluation.statistics import FEW, as_json
from mim_tf.storage.files import LARGEST, check_form, csv_bytes, write_bytes, write_json, write_npz
from mim_tf.storage.paths import list_folder, parse_json, read_text
from mim_tf.values.scale import LinearScale
from mim_tf.values.text import listed

T = TypeVar("T")

ARRAYS = ("per_sequence", "groups", "resamples", "samples")
"""Parts of a result that `scores.json` does not contain."""

GROUPS = "recording"
RESAMPLES = "resamples.npz"
SAMPLES = "samples.npz"
SAMPLE_KINDS = ("best", "median", "worst", "first")
WIDTH = 80
_NUMBER = (float, None)
_PART = {"mean": {...: _NUMBER}, "per_frame": {...: [_NUMBER]}}
_INTERVALS = {...: ([float], None)}
_FORM = {
    "sequences": int,
    "recordings": (int, None),
    "input_length": int,
    "protocol": str,
    **_PART,
    "intervals": _INTERVALS,
    "baselines": ({...: {**_PART, "intervals": (_INTERVALS, None)}}, None),
    "data": {"sha256": str, "recordings": (list, None), "scale": (dict, None)},
    "spectra": ({...: list, "wavelength": [float]}, None),
}
"""Form of what tables and pages take from `scores.json`."""

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
    write_bytes(folder / "scores.csv", csv_bytes(_rows(result, input_length), "\n"))
    if "per_sequence" in result:
        columns = {"sequence": range(1, result["sequences"] + 1)}
        if "groups" in result:
            columns[GROUPS] = (np.asarray(result["groups"]) + 1).tolist()
        columns |= {name: map(as_json, values) for name, values in result["per_sequence"].items()}
        rows = [columns, *zip(*columns.values(), strict=True)]
        write_bytes(folder / "per_sequence.csv", csv_bytes(rows, "\n"))
    if "resamples" in result:
        means = np.stack([result["resamples"][name] for name in result["mean"]])
        write_npz(folder / RESAMPLES, means=np.float32(means))
    if "samples" in result:
        write_npz(folder / SAMPLES, **result["samples"])
    # Last, so that whoever finds it finds the others too.
    write_json(folder / "scores.json", parts)


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
        if len(means) != len(per_sequence) or not means.size or (np.abs(means) > LARGEST).any():
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
    best, last = folder / "best.json", next(reversed(found))
    if os.path.lexists(best):
        last = parsed(best, lambda text: f"{parse_json(text)['iteration']:06d}")
        if last not in found:
            message = "%s: its best evaluation, of iteration %s, is missing. The last one is used."
            logging.warning(message, folder, last)
    return found.get(last, next(reversed(found.values())))


def evaluations_of(run: Path) -> list[Path]:
    """Return the folders of the evaluations of a run, in order; none where it has no `scores`."""
    folders = list_folder(run / "scores") if os.path.isdir(run / "scores") else []
    found = (f for f in folders if os.path.isdir(f) and f / "scores.json" in list_folder(f))
    return in_natural_order(found)


def read_scores(path: Path) -> dict:
    """Return the content of a `scores.json`; `MimError` if it is missing or corrupted."""
    return parsed(path, _scores)


def parsed(path: Path, parse: Callable[[str], T], remedy: str = _AGAIN) -> T:
    """Return what `parse` makes of the text of a file of a run or an evaluation.

    Whatever wrong content leads to in `parse` is raised as a `MimError`, as is a missing file.
    """
    try:
        text = read_text(path, "a file of an evaluation")
    except MimError as error:
        raise MimError(f"{error} {remedy}") from None
    try:
        return parse(text)
    except (ValueError, TypeError, LookupError, AttributeError, csv.Error) as error:
        raise MimError(f"{path} is corrupted or of an older version ({error}). {remedy}") from None


def _scores(text):
    """Return all that tables and curves are made of."""
    scores = parse_json(text)
    check_form(scores, _FORM)
    # A field that is null is as good as missing.
    scores = {name: value for name, value in scores.items() if value is not None}
    mean, horizon, spectra = scores["mean"], len(scores["per_frame"]["mse"]), scores.get("spectra")
    if scores["data"].get("scale"):
        LinearScale(**scores["data"]["scale"])  # raises for what is no scale
    if not (scores["sequences"] and horizon and "mse" in mean):
        raise ValueError("no sequence, no lead time or no mse in it")
    for part in (scores, *scores.get("baselines", {}).values()):
        for name in mean:
            ends = (part.get("intervals") or dict.fromkeys(mean))[name]
            is_interval = ends is None or len(ends) == 2
            if len(part["per_frame"][name]) != horizon or not is_interval:
                raise ValueError(f"{name} does not have {horizon} lead times and an interval")
            part["mean"][name]
    if spectra:
        form = {name: [[float]] for name in ("truth", "prediction")}
        check_form(spectra, form)
        lengths = {len(row) for name in form for row in spectra[name]}
        if lengths != {len(spectra["wavelength"])} or any(len(spectra[n]) != horizon for n in form):
            raise ValueError("spectra does not fit the lead times and wavelengths")
    return scores


def parse_columns(text: str, empty: str = "") -> dict[str, np.ndarray]:
    """Return the columns of a CSV file of numbers by name; an empty cell stands for `empty`."""
    if not text.endswith("\n"):
        raise ValueError("it ends within a row")
    table = zip(*csv.reader(text.splitlines()), strict=True)
    columns = {name: np.array([float(cell or empty) for cell in cells]) for name, *cells in table}
    if wrong := [name for name, values in columns.items() if (np.abs(values) > LARGEST).any()]:
        raise ValueError(f"a number beyond {LARGEST} as {wrong[0]}")
    return columns


@dataclasses.dataclass(frozen=True)
class Samples:
    """Sequences that an evaluation kept, and their forecasts."""

    truth: np.ndarray  # [N, T, H, W, C], uint8; masked if the evaluation recorded missing values
    forecast: np.ndarray  # [N, horizon, H, W, C], uint8
    index: np.ndarray  # [N], number among the scored sequences, from 0
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
    path, scores = evaluation / SAMPLES, read_scores(evaluation / "scores.json")
    kinds = {"truth": ("u", 5), "forecast": ("u", 5), "index": ("iu", 1), "kind": ("U", 1)}
    kinds["error_map"] = "f", 3
    if "missing" in member_keys(path):
        kinds["missing"] = "b", 5
    arrays = {name: np.asarray(read_member(path, name, *kind)) for name, kind in kinds.items()}
    truth, forecast, index, kind, error_map, *missing = arrays.values()
    horizon = len(scores["per_frame"]["mse"])
    if (
        len({len(truth), len(forecast), len(index), len(kind)}) > 1
        or {truth.dtype, forecast.dtype} != {np.dtype(np.uint8)}
        or 0 in truth.shape
        or truth.shape[1] != scores["input_length"] + horizon
        or forecast.shape != (len(truth), horizon, *truth.shape[2:])
        or error_map.shape != forecast.shape[1:4]
        or any(each.shape != truth.shape for each in missing)
        or not set(kind.tolist()) <= set(SAMPLE_KINDS)
        or not all(0 <= each < scores["sequences"] for each in index.tolist())
        or (error_map < 0).any()
        or (error_map > LARGEST).any()
    ):
        raise MimError(f"{path} is corrupted: its arrays do not fit scores.json. {_AGAIN}")
    if missing:
        truth = np.ma.masked_array(truth, missing[0])
    return Samples(truth, forecast, index, kind, error_map)


def shared_indices(samples: Iterable[Samples]) -> list[int]:
    """Return the indices of the sequences that all samples have, sorted.

    Raises `MimError` if their frames differ in size.
    """
    samples = list(samples)
    if len(shapes := {each.truth.shape[1:] for each in samples}) > 1:
        raise MimError(f"Expected {SAMPLES} with frames of one size, got {listed(shapes, 'and')}.")
    return sorted(set.intersection(*(set(each.index.tolist()) for each in samples)))


def basis(scores: dict) -> str:
    """Return what the intervals of `scores.json` rest on, such as "64 windows of 12 recordings"."""
    count, groups = scores["sequences"], scores.get("recordings")
    if groups is None:
        return (
            f"{count:,} sequences. The intervals assume independent sequences; if they are "
            "windows that overlap, the intervals are too narrow. Evaluate again to correct them."
        )
    if groups < 2:
        words = f"{count:,} windows of one recording" if count > 1 else "One sequence"
        return f"{words}: there are no intervals."
    whole = groups <= len(scores["data"].get("recordings") or ())
    words = f"{count:,} windows of {groups:,} {'recordings' if whole else 'blocks of time'}"
    if groups == count:
        words = f"{count:,} sequences"
    rough = ": the intervals are rough, and may reach beyond possible values"
    return f"{words}{rough if groups < FEW else ''}."


def format_scores(result: dict, input_length: int) -> str:
    """Return the rows of the CSV file as aligned text, without a last line break; None is `-`.

    Scores that do not fit into 80 characters stand in further tables below.
    """
    header, *rows = _rows(result, input_length)
    numbers, *scores = zip(*rows, strict=True)
    cells = [header, *zip(map(str, numbers), *map(_column, scores), strict=True)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    padded = [[cell.rjust(w) for cell, w in zip(row, widths, strict=True)] for row in cells]
    frames, *columns = zip(*padded, strict=True)
    tables = [[frames]]
    for column in columns:
        if len("  ".join(part[0] for part in [*tables[-1], column])) > WIDTH:
            tables.append([frames])
        tables[-1].append(column)
    return "\n\n".join("\n".join(map("  ".join, zip(*each, strict=True))) for each in tables)


def _column(scores):
    """Return scores as text: with four decimals, or if all are too small, as 1.234e-05."""
    largest = max((abs(each) for each in scores if each is not None), default=0)
    form = ".3e" if 0 < largest < 1e-3 else "z.4f"
    return ["-" if each is None else format(each, form) for each in scores]


def _rows(result, input_length):
    columns = zip(*(result["per_frame"][name] for name in result["mean"]), strict=True)
    frames = [[number, *scores] for number, scores in enumerate(columns, input_length + 1)]
    return [["frame", *result["mean"]], *frames, ["mean", *result["mean"].values()]]
