"""Scores as files and as a table for the terminal."""

import csv
import json
from pathlib import Path

WIDTH = 100


def write_scores(path, result, input_length):
    """Writes scores to `path.json`, as they are, and to `path.csv`, one row per predicted frame.

    Args:
        path: without suffix; its folder is made where missing, older scores are replaced.
        result: what `evaluate` returned.
        input_length: number of context frames; the first row is frame `input_length + 1`, the
            last row is the mean. A score that is None leaves its cell empty.
    """
    json_path, csv_path = Path(f"{path}.json"), Path(f"{path}.csv")
    json_path.parent.mkdir(parents=True, exist_ok=True)
    json_path.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    with csv_path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(_rows(result, input_length))


def format_scores(result, input_length):
    """The rows of the CSV file as aligned text, without a last line break; None is `-`.

    Scores that do not fit into 100 characters stand in further tables below.

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
    return "-" if score is None else f"{score:.4f}"
