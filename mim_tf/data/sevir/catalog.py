"""The catalogue of SEVIR: which events there are, and in which files."""

import collections
import csv
import dataclasses
import datetime
import io
import os
from pathlib import Path

from absl import logging

from mim_tf.errors import MimError
from mim_tf.given_path import opened
from mim_tf.hdf5_file import opened_hdf5

CATALOG = "CATALOG.csv"
FRAMES = 49  # of an event, one every five minutes
# The last moment of training and of validation; later papers divide so.
LAST = {"train": datetime.datetime(2019, 1, 1), "valid": datetime.datetime(2019, 6, 1)}
_COLUMNS = ("id", "file_name", "file_index", "img_type", "time_utc", "pct_missing")


@dataclasses.dataclass(frozen=True)
class Entry:
    """A line of the catalogue."""

    id: str
    file_name: str
    row: int
    time: datetime.datetime

    @property
    def split(self) -> str:
        return next((name for name, last in LAST.items() if self.time <= last), "test")


def read_catalog(root: Path, kind: str) -> list[Entry]:
    """The entries of a type that can be used, sorted by time, and whose files are there."""
    path = root / CATALOG
    with opened(path, f"the catalogue of SEVIR, {CATALOG}") as file:
        reader = csv.DictReader(io.TextIOWrapper(file, encoding="utf-8", newline=""))
        absent = set(_COLUMNS) - set(reader.fieldnames or ())
        if absent:
            raise ValueError(f"there is no column {', '.join(sorted(absent))}")
        rows = [row for row in reader if row["img_type"] == kind]
        entries = [
            Entry(
                row["id"],
                row["file_name"],
                int(float(row["file_index"])),
                datetime.datetime.fromisoformat(row["time_utc"]),
            )
            for row in rows
            if float(row["pct_missing"] or "nan") == 0
        ]
    times = collections.Counter(row["id"] for row in rows)
    entries = [entry for entry in entries if times[entry.id] == 1]
    there = {name: _is_there(root / "data" / name) for name in {e.file_name for e in entries}}
    if not any(there.values()):
        raise MimError(
            f"{root}: expected the files of type {kind} that {CATALOG} names, such as data/"
            f"{min(there, default=f'{kind}/2019/SEVIR_...h5')}, found none of {len(there)}. "
            "Download them, or choose another --sevir_type."
        )
    if not all(there.values()):
        logging.warning(
            "SEVIR: %d of the %d files of type %s are not there, and their events left out.",
            len(there) - sum(there.values()),
            len(there),
            kind,
        )
    found = [entry for entry in entries if there[entry.file_name]]
    return sorted(found, key=lambda entry: (entry.time, entry.id))


def _is_there(path):
    """False only if there is nothing; what cannot be read says so when it is opened."""
    try:
        os.lstat(path)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def check_files(root: Path, kind: str, entries: list[Entry]) -> tuple[int, int]:
    """(height, width) of the frames; `MimError` where a file does not hold its events."""
    size = (0, 0)
    by_file = collections.defaultdict(list)
    for entry in entries:
        by_file[entry.file_name].append(entry)
    for name, events in by_file.items():
        path = root / "data" / name
        with opened_hdf5(path, "a file of SEVIR") as file:
            shape = file[kind].shape if kind in file else None
            if shape is None or len(shape) != 4 or shape[-1] != FRAMES:
                raise MimError(
                    f"{path}: expected a data set {kind} [N, H, W, {FRAMES}], found "
                    f"{'none' if shape is None else list(shape)}. Download it again."
                )
            for event in events:
                is_row = 0 <= event.row < shape[0]
                if not is_row or ("id" in file and _text(file["id"][event.row]) != event.id):
                    raise MimError(
                        f"{path}: expected event {event.id} in row {event.row}, as {CATALOG} says, "
                        f"found {'another' if is_row else f'{shape[0]} rows'}. Download both "
                        "again, of one version."
                    )
        if size not in ((0, 0), shape[1:3]):
            raise MimError(
                f"{path}: expected frames of {size[0]} x {size[1]} pixels as in the other files, "
                f"received {shape[1]} x {shape[2]}. Download it again."
            )
        size = shape[1:3]
    return size


def _text(value):
    return value.decode() if isinstance(value, bytes) else str(value)
