"""SEVIR: windows of storm events, which are divided by date.

`CATALOG.csv` lists the events, and in which row of which HDF5 file each is. An event is read when
it is asked for; nothing stays open or in memory.
"""

import collections
import csv
import dataclasses
import datetime
import io
import os
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
from absl import logging

from mim_tf.config import DataConfig
from mim_tf.data.files.images import pooled, pooling_factors
from mim_tf.data.source import Indices, Recording, WindowSource, common_value
from mim_tf.data.split import ALL, one_folder, shared_paths, with_paths
from mim_tf.errors import MimError
from mim_tf.storage.containers import opened_hdf5
from mim_tf.storage.paths import opened
from mim_tf.values.scale import ConvertedScale, LinearScale

CATALOG = "CATALOG.csv"
FRAMES = 49
"""Frames of an event, one every five minutes."""
MISSING = 255
"""Level of VIL where nothing was measured."""
LAST = {"train": datetime.datetime(2019, 1, 1), "valid": datetime.datetime(2019, 6, 1)}
"""The last moment of training and of validation, as later papers divide the events."""
LEVELS = LinearScale("level", 0, 255)


def vil_of_levels(levels: np.ndarray) -> np.ndarray:
    """Return vertically integrated liquid in kg/m2 of levels 0 to 254, as SEVIR defines it."""
    low, high = (levels - 2) / 90.66, np.exp((levels - 83.9) / 38.9)
    return np.where(levels <= 5, 0, np.where(levels <= 18, low, high))


def levels_of_vil(vil: np.ndarray) -> np.ndarray:
    """Return the levels of VIL in kg/m2; 0 for 0."""
    vil = np.asarray(vil, np.float64)
    with np.errstate(divide="ignore"):
        high = np.log(vil) * 38.9 + 83.9
    return np.where(vil <= 0, 0, np.where(vil <= 16 / 90.66, vil * 90.66 + 2, high))


VIL = ConvertedScale("kg/m2", LEVELS, vil_of_levels, levels_of_vil)


class ImageType(NamedTuple):
    """An image type; `factor` times a stored number is a value in the unit of `scale`."""

    scale: LinearScale
    factor: float
    converted: tuple[ConvertedScale, ...] = ()


TYPES = {
    "vil": ImageType(LEVELS, 1, (VIL,)),
    "vis": ImageType(LinearScale("reflectance", 0, 1), 1e-4),
    "ir069": ImageType(LinearScale("degC", -100, 60), 1e-2),
    "ir107": ImageType(LinearScale("degC", -100, 60), 1e-2),
}


class Entry(NamedTuple):
    """A line of the catalogue: an event in a row of a file."""

    id: str
    file_name: str
    row: int
    time: datetime.datetime

    @property
    def split(self) -> str:
        return next((name for name, last in LAST.items() if self.time <= last), "test")


def read_catalog(root: Path, kind: str) -> list[Entry]:
    """Return the usable entries of an image type whose files exist, sorted by time.

    Usable are events without missing frames whose id occurs once.
    """
    path = root / CATALOG
    with opened(path, f"the catalogue of SEVIR, {CATALOG}") as file:
        reader = csv.DictReader(io.TextIOWrapper(file, encoding="utf-8-sig", newline=""))
        rows = [row for row in reader if row["img_type"] == kind]
        times = collections.Counter(row["id"] for row in rows)
        entries = [
            Entry(row["id"], row["file_name"], int(float(row["file_index"])), _utc(row["time_utc"]))
            for row in rows
            if float(row["pct_missing"] or "nan") == 0 and times[row["id"]] == 1
        ]
    if not entries:
        raise MimError(
            f"{path}: expected events of type {kind} with pct_missing 0, got none of {len(rows)}. "
            "Set --sevir_type."
        )
    names = {entry.file_name for entry in entries}
    for name in names:
        if os.path.isabs(name) or ".." in Path(name).parts:
            raise MimError(f"{path}: Expected files in the folder data, got {name!r}.")
    there = {name for name in names if _exists(root / "data" / name)}
    missing = f"{len(names - there)} of the {len(names)} files of type {kind} are missing"
    if not there:
        raise MimError(f"{root}: {missing}. Download them, or set --sevir_type.")
    if len(there) < len(names):
        logging.warning("SEVIR: %s; their events are left out.", missing)
    found = [entry for entry in entries if entry.file_name in there]
    return sorted(found, key=lambda entry: (entry.time, entry.id))


def _utc(text):
    """Return an ISO time, in UTC if it has no time zone, as a time without one."""
    time = datetime.datetime.fromisoformat(text)
    return time.astimezone(datetime.UTC).replace(tzinfo=None) if time.tzinfo else time


def _exists(path):
    try:
        os.lstat(path)
    except OSError as error:  # Not os.path.exists, which is False without permission, too.
        return not isinstance(error, FileNotFoundError)
    return True


def check_files(root: Path, kind: str, entries: list[Entry]) -> tuple[int, int]:
    """Return (height, width) of the frames; raise `MimError` if a file lacks one of its events."""
    sizes: dict[Path, tuple[int, int]] = {}
    by_file = collections.defaultdict(list)
    for entry in entries:
        by_file[entry.file_name].append(entry)
    for name, events in by_file.items():
        path = root / "data" / name
        with opened_hdf5(path, "a file of SEVIR") as file:
            found = file.get(kind)
            numbers = isinstance(found, h5py.Dataset) and found.dtype.kind in "fiu"
            shape: tuple[int, ...] = (found.shape or ()) if numbers else ()
            if len(shape) != 4 or shape[-1] != FRAMES:
                got = f"got {list(shape)}" if numbers or found is None else f"got {found}"
                raise MimError(f"{path}: Expected numbers {kind} [N, H, W, {FRAMES}], {got}.")
            for event in events:
                is_row = 0 <= event.row < shape[0]
                if not is_row or ("id" in file and file["id"].asstr()[event.row] != event.id):
                    place = f"row {event.row} of {shape[0]}, as in {CATALOG}"
                    raise MimError(
                        f"{path}: Expected event {event.id} in {place}. Download both again."
                    )
        sizes[path] = shape[1:3]
    return common_value(sizes.items(), "height and width ")


@dataclasses.dataclass
class SevirEvent(Recording):
    """The event in a row of a file; `factors` rows and columns become one value.

    This is the largest value of VIL, as in the literature, and else the mean.
    """

    name: str
    path: Path
    row: int
    kind: str
    factors: tuple[int, int]
    length = FRAMES
    step = 300.0  # seconds

    def read(self, positions: Indices) -> np.ndarray:
        path, row, kind = self.path, self.row, self.kind
        first, last = min(positions), max(positions)
        # The file passed check_hdf5 when the source was opened.
        with opened(path, "a file of SEVIR"), h5py.File(path) as file:
            block = file[kind][row, :, :, first : last + 1]
        stored = np.moveaxis(block[..., np.asarray(positions) - first], -1, 0)
        scale, factor = TYPES[kind].scale, TYPES[kind].factor
        values = stored * np.float32(factor)
        # Half of the range further on either side is no weather.
        low, high = scale.to_physical(np.array([-0.5, 1.5]))
        possible = (values >= low) & (values <= high)
        if kind == "vil":
            possible |= np.isnan(values)
        if not possible.all():
            raise MimError(
                f"{path}, row {row}: Expected {kind} from {low / factor:g} to {high / factor:g}, "
                f"got {stored[~possible][0]}. If it marks missing values, set pct_missing of "
                f"{self.name} in {CATALOG} to leave the event out."
            )
        frames = scale.to_unit(values)
        if kind == "vil":
            frames[stored == MISSING] = np.nan
        return pooled(frames, self.factors, largest=kind == "vil")[..., None]


def open_sevir(data: DataConfig, split: str, frame_shape, total_length: int) -> WindowSource:
    """Open windows of the events of a split ("train", "valid", "test" or "all").

    One folder holds `CATALOG.csv` and `data`. Missing files are left out, with a warning. With
    `resize`, H and W of `frame_shape` are a whole fraction of the data's.
    """
    root, kind = one_folder(shared_paths(data, split)), data.sevir_type
    entries = read_catalog(root, kind)
    counts = collections.Counter(entry.split for entry in entries)
    chosen = [entry for entry in entries if split in (ALL, entry.split)]
    if not chosen:
        raise MimError(
            f"{root}: Expected events of type {kind} in the dates for {split}, got {dict(counts)}. "
            "Download the files of the other years."
        )
    size = check_files(root, kind, chosen)
    wanted = frame_shape[:2] if data.resize else size
    factors = pooling_factors(str(root), size, wanted)
    return WindowSource(
        [SevirEvent(e.id, root / "data" / e.file_name, e.row, kind, factors) for e in chosen],
        (*wanted, 1),
        total_length,
        data.window_stride,
        data.frame_interval,
        description={
            "source": "SEVIR",
            "paths": [str(root)],
            "type": kind,
            "events": len(chosen),
            "events_by_split": dict(sorted(counts.items())),
        },
        scale=TYPES[kind].scale,
        converted=TYPES[kind].converted,
        thresholds=data.event_thresholds,
        has_missing=kind == "vil",
    )


@with_paths
def shape_of_sevir(paths: list[Path], data: DataConfig) -> tuple[int, int, int]:
    """Return (H, W, 1) of the frames, from one file."""
    root, kind = one_folder(paths), data.sevir_type
    return (*check_files(root, kind, read_catalog(root, kind)[:1]), 1)
