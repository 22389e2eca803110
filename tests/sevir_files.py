"""A small SEVIR, written from its documented layout."""

import csv

import h5py
import numpy as np

HEADER = ["id", "file_name", "file_index", "img_type", "time_utc", "minute_offsets", "pct_missing"]
TIMES = {"train": "2018-07-01 12:00:00", "valid": "2019-03-01 12:00:00", "test": "2019-07-01 12:00"}


def events(count, size=8, dtype=np.uint8):
    """`[count, size, size, 49]`; frame t of event n has the value n + t, and 254 in a corner."""
    values = np.arange(count)[:, None, None, None] + np.arange(49)
    frames = np.broadcast_to(values, (count, size, size, 49)).astype(dtype)
    frames[:, 0, 0] = 254
    return frames


def write_sevir(folder, kind="vil", count=2, frames=None, size=8):
    """`count` events for each split, in one file a split; returns the catalogue's rows."""
    rows = []
    for split, time in TIMES.items():
        name = f"{kind}/{time[:4]}/SEVIR_{kind.upper()}_STORMEVENTS_{split}.h5"
        path = folder / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        ids = [f"{split}-{n}" for n in range(count)]
        with h5py.File(path, "w") as file:
            file["id"] = ids
            file[kind] = events(count, size) if frames is None else frames
        for n, name_of_event in enumerate(ids):
            rows.append([name_of_event, name, n, kind, time, "-120:-115", 0.0])
    write_catalog(folder, rows)
    return rows


def write_catalog(folder, rows, header=HEADER):
    with (folder / "CATALOG.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
