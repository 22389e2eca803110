"""A small HKO-7, written from its documented layout."""

import datetime
import zlib

import imageio.v3 as imageio
import numpy as np

DAYS = {"train": "20140501", "valid": "20140502", "test": "20150503"}
SIZE = (8, 12)


def times(day, count):
    start = datetime.datetime.strptime(day, "%Y%m%d")
    return [start + n * datetime.timedelta(minutes=6) for n in range(count)]


def write_frame(folder, time, level, counts=None, size=SIZE):
    """A picture whose pixels all have one level, and its mask, which is True where pixels count."""
    picture = folder / f"radarPNG/{time:%Y/%m/%d/RAD%y%m%d%H%M%S}.png"
    mask = folder / f"radarPNG_mask/{time:%Y/%m/%d/RAD%y%m%d%H%M%S}.mask"
    for path in (picture, mask):
        path.parent.mkdir(parents=True, exist_ok=True)
    imageio.imwrite(picture, np.full(size, level, np.uint8))
    counts = np.ones(size, bool) if counts is None else counts
    mask.write_bytes(zlib.compress(counts.tobytes()))
    return picture, mask


def write_hko7(folder, count=27, size=SIZE):
    """A day of `count` frames for each split; frame n has the level n, and n + 100, n + 200."""
    folder.mkdir(exist_ok=True)
    for number, (split, day) in enumerate(DAYS.items()):
        (folder / f"hko7_rainy_{split}_days.txt").write_text(f"{day}\n")
        for n, time in enumerate(times(day, count)):
            write_frame(folder, time, (n + 100 * number) % 256, size=size)
