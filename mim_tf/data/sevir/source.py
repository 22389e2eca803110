"""Windows of storm events, read when asked for."""

import collections
from pathlib import Path

import h5py
import numpy as np

from mim_tf.config import DataConfig
from mim_tf.data.files.pooling import pooled, pooling_factors
from mim_tf.data.sevir.catalog import FRAMES, check_files, read_catalog
from mim_tf.data.sevir.values import MISSING, TYPES
from mim_tf.data.source import Indices
from mim_tf.data.split import ALL, one_folder
from mim_tf.data.windows import Recording, WindowSource
from mim_tf.errors import MimError
from mim_tf.given_path import opened


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
        self._complete: set[tuple[int, ...]] = set()  # windows without a missing value

    def read(self, positions: Indices) -> np.ndarray:
        frames, missing = self._read(positions)
        if not missing.any():
            self._complete.add(tuple(positions))
        return frames[..., None]

    def missing(self, positions: Indices) -> np.ndarray | None:
        if tuple(positions) in self._complete:
            return None
        return self._read(positions)[1][..., None]

    def _read(self, positions):
        path, row, kind = self._place
        first, last = min(positions), max(positions)
        with opened(path, "a file of SEVIR"), h5py.File(path) as file:
            block = file[kind][row, :, :, first : last + 1]
        stored = np.moveaxis(block[..., np.asarray(positions) - first], -1, 0)
        missing = stored == MISSING if kind == "vil" else np.zeros(stored.shape, bool)
        values = TYPES[kind].scale.to_unit(stored * np.float32(TYPES[kind].factor))
        return pooled(values, missing, self._factors, largest=kind == "vil")


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
    source.thresholds = data.thresholds
    if source.thresholds:
        source.scale.check_thresholds(source.thresholds)
    source.has_missing = kind == "vil"
    return source


def sevir_frame_shape(paths: list[Path], kind: str) -> tuple[int, int, int]:
    """(H, W, 1) of the frames of an image type, from one file."""
    root = one_folder(paths)
    return (*check_files(root, kind, read_catalog(root, kind)[:1]), 1)
