"""The folder of a run, and what stands in it."""

import csv
import dataclasses
import datetime
import importlib.metadata
import json
import os
import platform
import re
import sys
from pathlib import Path

import keras

from mim_tf.config import DataConfig, ModelConfig, TrainingConfig
from mim_tf.errors import MimError
from mim_tf.version import __version__

STATE = "training.state"
"""Weights, optimizer and counters of the last snapshot: where `--resume` goes on."""


def new_run_folder(parent, prefix="run") -> Path:
    """Makes the next free of `prefix-001`, `prefix-002`, ... in `parent`."""
    parent = Path(parent)
    for _ in range(100):
        folder = parent / f"{prefix}-{_last_number(parent, prefix) + 1:03d}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:  # another process was faster
            continue
        except OSError as error:
            raise MimError(f"{parent} cannot hold a new folder: {error}.") from error
        return folder
    raise MimError(f"No folder {prefix}-... could be made in {parent}.")


def last_resumable(parent) -> Path | None:
    """The newest run in `parent` that has a snapshot to go on from."""
    folders = [path.parent for path in Path(parent).glob(f"run-*/{STATE}")]
    return max(folders, key=lambda folder: _number(folder.name, "run"), default=None)


def _last_number(parent, prefix):
    return max((_number(path.name, prefix) for path in parent.glob(f"{prefix}-*")), default=0)


def _number(name, prefix):
    match = re.fullmatch(rf"{prefix}-(\d+)", name)
    return int(match[1]) if match else 0


def write_record(
    folder: Path,
    model: ModelConfig,
    data: DataConfig,
    training: TrainingConfig,
    sources: dict[str, dict],
) -> None:
    """Writes `run.json`: every setting, the data, the backend, the versions and the command."""
    packages = ["keras", "tensorflow", "jax", "numpy"]
    record = {
        "started": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "command": sys.argv,
        "model": dataclasses.asdict(model),
        "data": dataclasses.asdict(data),
        "training": dataclasses.asdict(training),
        "sources": sources,
        "backend": keras.backend.backend(),
        "versions": {
            "mim_tf": __version__,
            "python": platform.python_version(),
            **dict(map(_version, packages)),
        },
    }
    write_json(folder / "run.json", record)


def read_record(folder: Path) -> tuple[ModelConfig, DataConfig, TrainingConfig]:
    """The settings in `run.json`."""
    record = json.loads((folder / "run.json").read_text())
    return (
        ModelConfig(**record["model"]),
        DataConfig(**record["data"]),
        TrainingConfig(**record["training"]),
    )


def _version(package):
    try:
        return package, importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return package, None


def write_json(path: Path, content) -> None:
    """Writes JSON all or nothing."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")
    os.replace(part, path)


class CsvLog:
    """A CSV file with one row an iteration.

    Args:
        path: of the file. One that exists is continued.
        columns: names, the first of them `iteration`.
        last_iteration: rows after it are left out, because they will be written again.

    Attributes:
        last: the last of the rows that are there, None where there is none.
    """

    def __init__(self, path: Path, columns, last_iteration: int):
        rows = []
        if path.exists():
            with path.open(newline="") as file:
                rows = [row for row in csv.reader(file) if row and row[0].isdigit()]
        rows = [row for row in rows if int(row[0]) <= last_iteration]
        part = path.with_name(path.name + ".part")
        with part.open("w", newline="") as file:
            csv.writer(file).writerow(columns)
            csv.writer(file).writerows(rows)
        os.replace(part, path)
        self.path = path
        self.last = rows[-1] if rows else None

    def append(self, row) -> None:
        """Adds a row, and has it on disk before it returns."""
        with self.path.open("a", newline="") as file:
            csv.writer(file).writerow(row)
