"""What the stored numbers of SEVIR's images stand for."""

import collections
import csv
import dataclasses
import datetime
import io
import os
from pathlib import Path

import h5py
import numpy as np
from absl import logging

from mim_tf.config import DataConfig
from mim_tf.data.files.images import pooled, pooling_factors
from mim_tf.data.source import Indices
from mim_tf.data.split import ALL, one_folder
from mim_tf.data.windows import Recording, WindowSource
from mim_tf.errors import MimError
from mim_tf.storage.hdf5 import opened_hdf5
from mim_tf.storage.paths import opened
from mim_tf.values.scale import ConvertedScale, LinearScale

MISSING = 255  # of VIL
LEVELS = LinearScale("level", 0, 255)


def vil_of_levels(levels: np.ndarray) -> np.ndarray:
    """Vertically integrated liquid in kg/m2 of levels 0 to 254, as SEVIR's authors define it."""
    low, high = (levels - 2) / 90.66, np.exp((levels - 83.9) / 38.9)
    return np.where(levels <= 5, 0, np.where(levels <= 18, low, high))


def levels_of_vil(vil: np.ndarray) -> np.ndarray:
    """The levels of VIL in kg/m2; 0 is 0."""
    vil = np.asarray(vil, np.float64)
    with np.errstate(divide="ignore"):
        high = np.log(vil) * 38.9 + 83.9
    return np.where(vil <= 0, 0, np.where(vil <= 16 / 90.66, vil * 90.66 + 2, high))


VIL = ConvertedScale("kg/m2", LEVELS, vil_of_levels, levels_of_vil)


@dataclasses.dataclass(frozen=True)
class ImageType:
    """How the stored numbers of an image type are read: times `factor`, in the unit of `scale`."""

    scale: LinearScale
    factor: float
    converted: tuple[ConvertedScale, ...] = ()


TYPES = {
    "vil": ImageType(LEVELS, 1, (VIL,)),
    "vis": ImageType(LinearScale("reflectance", 0, 1), 1e-4),
    "ir069": ImageType(LinearScale("degC", -100, 60), 1e-2),
    "ir107": ImageType(LinearScale("degC", -100, 60), 1e-2),
}


# MERGED: The catalogue of SEVIR: which events there are, and in which files.


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


# MERGED: Windows of storm events, read when asked for.


class SevirEvent(Recording):
    """A row of a file. Nothing stays open or in memory.

    Args:
        name: its id.
        path: of the file.
        row: in it.
        kind: key of `TYPES`, and of the data set in the file.
        factors: rows and columns that become one; of VIL by their largest value, else the mean.
    """

    length = FRAMES

    def __init__(self, name: str, path: Path, row: int, kind: str, factors: tuple[int, int]):
        self.name = name
        self._place = path, row, kind
        self._factors = factors

    def read(self, positions: Indices) -> np.ndarray:
        path, row, kind = self._place
        first, last = min(positions), max(positions)
        with opened(path, "a file of SEVIR"), h5py.File(path) as file:
            block = file[kind][row, :, :, first : last + 1]
        stored = np.moveaxis(block[..., np.asarray(positions) - first], -1, 0)
        missing = stored == MISSING if kind == "vil" else np.zeros(stored.shape, bool)
        values = TYPES[kind].scale.to_unit(stored * np.float32(TYPES[kind].factor))
        frames, missing = pooled(values, missing, self._factors, largest=kind == "vil")
        return np.where(missing, np.float32(np.nan), frames)[..., None]


def open_sevir(
    paths: list[Path],
    split: str,
    frame_shape: tuple[int, int, int],
    total_length: int,
    data: DataConfig,
) -> WindowSource:
    """Windows of the events of a split, none across two.

    Events are divided by date: training until 2019-01-01, validation until 2019-06-01, then test.
    Only events without missing values are taken (`pct_missing` of the catalogue is 0) whose id
    the type has once. Files that are not there are left out, with a warning.

    Args:
        paths: the one folder that holds `CATALOG.csv` and `data`.
        split: "train", "valid", "test" or "all".
        frame_shape: (H, W, C); with `resize` of `data` a whole fraction of the data's H and W.
        total_length: frames of a window.
        data: type of the images, stride and interval of windows, and thresholds, of VIL in levels.

    Raises:
        MimError: for a catalogue or files that cannot be read or do not fit each other, and if
            there is no event.
    """
    root, kind = one_folder(paths), data.sevir_type
    entries = read_catalog(root, kind)
    counts = collections.Counter(entry.split for entry in entries)
    chosen = [entry for entry in entries if split in (ALL, entry.split)]
    if not chosen:
        raise MimError(
            f"{root}: expected events of type {kind} for {split}, whose dates decide, found none "
            f"among {len(entries)} ({', '.join(f'{n} for {name}' for name, n in counts.items())}). "
            "Download the files of the other years, too."
        )
    size = check_files(root, kind, chosen)
    wanted = frame_shape[:2] if data.resize else size
    factors = pooling_factors(str(root), size, wanted)
    source = WindowSource(
        [SevirEvent(e.id, root / "data" / e.file_name, e.row, kind, factors) for e in chosen],
        (*wanted, 1),
        total_length,
        data.window_stride,
        data.frame_interval,
        description={
            "source": "SEVIR",
            "paths": [str(root)],
            "type": kind,
            "scale": TYPES[kind].scale.as_json(),
            "events": len(chosen),
            "events_by_split": dict(sorted(counts.items())),
        },
    )
    source.scale, source.converted = TYPES[kind].scale, TYPES[kind].converted
    source.thresholds = data.event_thresholds
    if source.thresholds:
        source.scale.check_thresholds(source.thresholds)
    source.has_missing = kind == "vil"
    return source


def sevir_frame_shape(paths: list[Path], kind: str) -> tuple[int, int, int]:
    """(H, W, 1) of the frames of an image type, from one file."""
    root = one_folder(paths)
    return (*check_files(root, kind, read_catalog(root, kind)[:1]), 1)
