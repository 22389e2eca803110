"""Scores as files and as a table for the terminal."""

import csv
import json
from pathlib import Path

import numpy as np

from mim_tf.evaluation.accumulated import as_json
from mim_tf.json_file import write_json

WIDTH = 80
ARRAYS = ("per_sequence", "samples")


def write_scores(folder: str | Path, result: dict, input_length: int) -> None:
    """Writes an evaluation.

    - `scores.json`: `result` without what the last two files hold
    - `scores.csv`: one row per predicted frame, from frame `input_length + 1` on, then the mean
    - `per_sequence.csv`: one row per sequence, from 1 on, with its scores over all lead times
    - `samples.npz`: the arrays of `samples`

    A score that is None or NaN leaves its cell empty.

    Args:
        folder: made where missing; an older evaluation in it is replaced.
        result: what `evaluate` returned; without `per_sequence` or `samples`, so are the files.
        input_length: number of context frames.
    """
    folder = Path(folder)
    parts = {name: value for name, value in result.items() if name not in ARRAYS}
    json.dumps(parts, allow_nan=False)  # fails before anything is written
    folder.mkdir(parents=True, exist_ok=True)
    _write_csv(folder / "scores.csv", _rows(result, input_length))
    if "per_sequence" in result:
        names, columns = zip(*result["per_sequence"].items(), strict=True)
        rows = enumerate(zip(*columns, strict=True), 1)
        rows = [[number, *map(as_json, scores)] for number, scores in rows]
        _write_csv(folder / "per_sequence.csv", [["sequence", *names], *rows])
    if "samples" in result:
        np.savez_compressed(folder / "samples.npz", **result["samples"])
    # Last, so that whoever finds it finds the others too.
    write_json(folder / "scores.json", parts)


def _write_csv(path, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def format_scores(result: dict, input_length: int) -> str:
    """The rows of the CSV file as aligned text, without a last line break; None is `-`.

    Scores that do not fit into 80 characters stand in further tables below.

    Args:
        result, input_length: as in `write_scores`.
    """
    header, *rows = _rows(result, input_length)
    cells = [header] + [[str(row[0]), *map(_decimal, row[1:])] for row in rows]
    frames, *columns = [_aligned(column) for column in zip(*cells, strict=True)]
    tables, table = [], [frames]
    for column in columns:
        if sum(len(part[0]) + 2 for part in [*table, column]) > WIDTH + 2:
            tables.append(table)
            table = [frames]
        table.append(column)
    lines = [map("  ".join, zip(*table, strict=True)) for table in [*tables, table]]
    return "\n\n".join(map("\n".join, lines))


def _aligned(column):
    width = max(map(len, column))
    return [cell.rjust(width) for cell in column]


def _rows(result, input_length):
    names = list(result["mean"])
    frames = zip(*(result["per_frame"][name] for name in names), strict=True)
    return [
        ["frame", *names],
        *([number, *scores] for number, scores in enumerate(frames, input_length + 1)),
        ["mean", *(result["mean"][name] for name in names)],
    ]


def _decimal(score):
    return "-" if score is None else f"{score:z.4f}"
