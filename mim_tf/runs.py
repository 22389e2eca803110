"""The folder of a run, and what stands in it."""

import contextlib
import csv
import dataclasses
import datetime
import errno
import fcntl
import importlib.metadata
import io
import json
import math
import os
import platform
import re
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import keras
from absl import logging

from mim_tf.config import DataConfig, ModelConfig, TrainingConfig
from mim_tf.errors import MimError
from mim_tf.given_path import open_file, parse_json, read_text
from mim_tf.models.network_module import source_of
from mim_tf.new_path import move_into_place, remove_debris
from mim_tf.version import __version__

STATE = "training.state"
"""Weights, optimizer and counters of the last snapshot: where `--resume` goes on."""

PREVIOUS_STATE = "training.state.previous"
"""Those of the snapshot before, for the case that the last one is damaged."""

RECORD = "run.json"
"""Settings, data and versions of a run."""


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


def last_run(parent) -> Path | None:
    """The newest run in `parent`: one that has its record or a state to go on from."""
    folders = [
        path
        for path in Path(parent).glob("run-*")
        if _number(path.name, "run") and (os.path.lexists(path / RECORD) or has_state(path))
    ]
    return max(folders, key=lambda folder: _number(folder.name, "run"), default=None)


def has_state(folder: Path) -> bool:
    """Whether a run has a snapshot to go on from, good or damaged."""
    return any(os.path.lexists(folder / name) for name in (STATE, PREVIOUS_STATE))


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keeps every other process out of a run; the system lets go where this one is killed.

    Raises:
        MimError: if another process holds it; the message says which.
    """
    with (folder / "lock").open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise MimError(
                f"{folder} is being trained by another process ({file.read().strip()}). Wait until "
                "it ends or stop it, or start a new run without --resume."
            ) from None
        except OSError as error:  # file systems without locks
            logging.warning("%s cannot be locked (%s): start no second --resume.", folder, error)
        remove_debris(folder)
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        yield


def pictures_folder(run: Path, parent: str | Path) -> Path:
    """The folder in `parent` for the pictures of `run` and of no other run.

    It has the name of the run, or where that is taken, the name and a number. The run remembers
    it, for when it is resumed.
    """
    named = Path(parent) / run.name
    if named.resolve() == run.resolve():
        return run / "pictures"
    record = run / "pictures.json"
    if os.path.lexists(record):
        folder = Path(str(read_json(record).get("folder")))
        if folder.parent == Path(parent).resolve():
            return folder
    try:
        named.mkdir(parents=True)
    except FileExistsError:
        named = new_run_folder(parent, run.name)
    write_json(record, {"folder": str(named.resolve())})
    return named


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
    pretrained_model: str = "",
) -> None:
    """Writes `run.json`: every setting, the data, the backend, the versions and the command.

    Of a network that is not of this package, the file is named, with its SHA-256.
    """
    packages = ["keras", "tensorflow", "jax", "numpy"]
    record = {
        "started": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "command": sys.argv,
        "model": dataclasses.asdict(model),
        "data": dataclasses.asdict(data),
        "training": dataclasses.asdict(training),
        "pretrained_model": pretrained_model,
        "network_module": source_of(model.model_name),
        "sources": sources,
        "backend": keras.backend.backend(),
        "versions": {
            "mim_tf": __version__,
            "python": platform.python_version(),
            **dict(map(_version, packages)),
        },
    }
    write_json(folder / RECORD, record)


def read_record(folder: Path) -> tuple[ModelConfig, DataConfig, TrainingConfig]:
    """The settings in `run.json`.

    Raises:
        MimError: if it is missing or damaged, or holds settings that this version does not know.
    """
    path = folder / RECORD
    record = read_json(path)
    try:
        return (
            ModelConfig(**record["model"]),
            DataConfig(**record["data"]),
            TrainingConfig(**record["training"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MimError(
            f"{path} is damaged: expected the settings of a run, received {error}. Put a copy "
            "of it back, or start a new run with --pretrained_model."
        ) from None


def check_network_module(folder: Path, model: ModelConfig) -> None:
    """Warns if a network of one's own is not in the file a run was started with, as it was then."""
    then, now = read_json(folder / RECORD).get("network_module"), source_of(model.model_name)
    if isinstance(then, dict) and now and then.get("sha256") != now["sha256"]:
        logging.warning(
            "%s differs from %s, with which %s was started.", now["path"], then.get("path"), folder
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
    move_into_place(part, path)


def read_json(path: Path) -> dict:
    """The object in a file of `write_json`.

    Raises:
        MimError: if there is none.
    """
    try:
        content = parse_json(read_text(path))
    except MimError:
        raise
    except ValueError as error:
        raise MimError(f"{path} cannot be read: {error}. Put a copy of it back.") from None
    if not isinstance(content, dict):
        raise MimError(f"{path} is damaged: expected an object, received {content!r:.40}.")
    return content


class CsvLog:
    """A CSV file of numbers with one row an iteration.

    Args:
        path: of the file. One that exists is continued; rows that are damaged are left out, with a
            warning and a copy of the file as it was.
        columns: names, the first of them `iteration`. A file of an earlier version, which lacks the
            last of them, goes on without.
        last_iteration: rows after it are left out, because they will be written again.

    Raises `MimError` if the file cannot be read or written.

    Attributes:
        last: column -> number of the last of the rows that are there; empty if there is none.
    """

    def __init__(self, path: Path, columns, last_iteration: int):
        lines = [list(columns)]
        if os.path.lexists(path):
            with open_file(path, "a log of numbers") as file:
                text = file.read().decode("utf-8", "replace")
            lines = [line.rstrip("\r").split(",") for line in text.split("\n")[:-1]]
        if lines and lines[0] == list(columns[: len(lines[0])]):
            columns = lines[0]
        rows = [row for row in lines if _is_row(row, len(columns))]
        if lines != [list(columns), *rows]:
            copy = path.with_name(path.name + ".damaged")
            shutil.copyfile(path, copy)
            logging.warning("%s is damaged: its good rows are kept, all of it in %s.", path, copy)
        rows = [row for row in rows if int(row[0]) <= last_iteration]
        part = path.with_name(path.name + ".part")
        try:
            with part.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerow(columns)
                csv.writer(file).writerows(rows)
            move_into_place(part, path)
        except OSError as error:
            raise MimError(f"{path} cannot be written: {error}. Make it writable.") from None
        self.path = path
        self.columns = columns
        self.last = dict(zip(columns, map(float, rows[-1]), strict=True)) if rows else {}
        self._waiting: list = []

    def append(self, row) -> None:
        """Adds a row. Where it cannot be written, it is kept for the next time, with a warning."""
        self._waiting.append(row[: len(self.columns)])
        text = io.StringIO(newline="")
        csv.writer(text).writerows(self._waiting)
        try:
            _append(self.path, text.getvalue().encode())
        except OSError as error:
            if len(self._waiting) == 1:
                logging.warning(
                    "%s cannot be written, its rows wait: %s.", self.path, error.strerror
                )
            return
        if len(self._waiting) > 1:
            logging.warning("%s is complete again.", self.path)
        self._waiting = []


def _append(path, content):
    """Writes at the end of a file, all or nothing."""
    with path.open("ab", buffering=0) as file:
        size = file.tell()
        try:
            if file.write(content) < len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        except OSError:
            file.truncate(size)
            raise


def _is_row(cells, columns):
    """Whether they are an iteration and a finite number for each other column."""
    try:
        finite = all(math.isfinite(float(cell)) for cell in cells)
    except ValueError:
        return False
    return len(cells) == columns and finite and re.fullmatch("[0-9]{1,15}", cells[0]) is not None
