"""A made-up city in the format of TaxiBJ, to try things out without the data.

Nothing in it was measured, and scores on it say nothing about TaxiBJ.
"""

import datetime
import os
from pathlib import Path

import h5py
import numpy as np

from mim_tf.data.taxibj.days import SLOTS_A_DAY
from mim_tf.data.taxibj.h5 import RawSlots
from mim_tf.errors import MimError

SIDE = 32
# First day and number of days of each year. The second alone has the test windows.
YEARS = ((datetime.date(2001, 3, 5), 21), (datetime.date(2002, 3, 4), 33))
# (year, day): the half hours of it that are lost.
LOST = {(0, 9): slice(20, 24), (1, 2): slice(47, 48), (1, 20): slice(0, 1)}


def synthetic_city(seed: int = 0) -> list[RawSlots]:
    """Two years of a few weeks each, of a city of 32 x 32 cells with 48 half hours a day.

    On working days traffic runs from homes towards offices in the morning, and back in the
    evening; the waves need time from the outskirts to the centre. At weekends there is less of
    that, and more around noon. Days differ in strength, and counts are noisy. As in recorded
    data, some days are incomplete, and some counts are negative.

    The same on any machine: only the raw random stream, which NumPy promises never to change, and
    correctly rounded arithmetic are used.

    Args:
        seed: whole number from 0.

    Returns:
        One `RawSlots` a year, whose name says that it is synthetic; counts are whole numbers.
    """
    stream = np.random.Philox(key=seed)
    patterns = _patterns(stream)
    return [_year(number, patterns, stream) for number in range(len(YEARS))]


def write_taxibj(folder, seed: int = 0) -> list[Path]:
    """Writes the synthetic city as two `.h5` files like TaxiBJ's, whole files or none.

    Args:
        folder: where to; made if need be.
        seed: of the city.

    Returns:
        The paths, in year order; the names begin with SYNTHETIC.

    Raises `MimError` where such a file exists already or cannot be written.
    """
    years = synthetic_city(seed)
    names = [f"SYNTHETIC{n}_M{SIDE}x{SIDE}_T30_InOut.h5" for n in range(1, len(years) + 1)]
    paths = [Path(folder) / name for name in names]
    for path in paths:
        if path.exists():
            raise MimError(f"{path} exists already. Remove it or give another folder.")
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for path, year in zip(paths, years, strict=True):
            _write(path, year)
    except OSError as error:
        raise MimError(f"{folder} cannot be written to: {error}. Choose another place.") from None
    return paths


def _write(path, year):
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with h5py.File(partial, "w") as file:
            file.attrs["source"] = "synthetic, made by mim_tf; not TaxiBJ"
            file["data"] = year.data
            file["date"] = np.array(year.dates)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _year(number, patterns, stream):
    first, length = YEARS[number]
    data, dates = [], []
    for day in range(length):
        date = first + datetime.timedelta(days=day)
        counts = _noisy(patterns["weekend" if date.weekday() >= 5 else "working day"], stream)
        lost = LOST.get((number, day), slice(0, 0))
        slots = np.delete(np.arange(SLOTS_A_DAY), lost)
        data.append(counts[slots])
        dates += [b"%s%02d" % (date.strftime("%Y%m%d").encode(), slot + 1) for slot in slots]
    return RawSlots(f"synthetic city, year {number + 1}", np.concatenate(data), dates)


def _noisy(pattern, stream):
    """One day's counts, float32 `[48, 2, H, W]`, about `pattern` vehicles a half hour."""
    strength = 0.85 + 0.3 * _unit(stream.random_raw())
    mean = strength * pattern
    # Four uniform numbers added, less their mean, are nearly normal.
    uniform = stream.random_raw(mean.size).view(np.uint16).reshape(*mean.shape, 4)
    normal = (uniform.sum(axis=-1, dtype=np.int64) - 2 * 0xFFFF) * np.sqrt(3) / 2**16
    return np.floor(mean + normal * np.sqrt(mean) + 0.5).astype(np.float32)


def _patterns(stream):
    """Mean counts `[48, 2, H, W]` of a working day and of a day at the weekend."""
    offices = _districts(stream, count=3, low=11, high=21, radius=3)
    homes = 0.4 * _districts(stream, count=9, low=2, high=30, radius=4)
    rows, columns = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    # Half hours on the way to the centre.
    way = np.sqrt(rows * rows + columns * columns) / 8
    morning, evening = _wave(17 - way, 2), _wave(36 + way, 2.5)
    noon = _wave(28 + 0 * way, 8) * (homes + offices)
    inflow = morning * offices + evening * homes
    outflow = morning * homes + evening * offices
    commuters = np.stack([inflow, outflow], axis=1)
    leisure = np.stack([noon, noon], axis=1)
    return {
        "working day": 500 * commuters + 80 * leisure,
        "weekend": 80 * commuters + 200 * leisure,
    }


def _districts(stream, count, low, high, radius):
    """Density `[H, W]` of `count` districts with centres in low..high - 1."""
    density = np.zeros((SIDE, SIDE))
    for _ in range(count):
        row, column = (low + int(_unit(stream.random_raw()) * (high - low)) for _ in range(2))
        rows, columns = np.mgrid[:SIDE, :SIDE] - np.array([row, column])[:, None, None]
        density += 1 / (1 + (rows * rows + columns * columns) / radius**2)
    return density


def _wave(peak, width):
    """Strength `[48, H, W]` over a day that is 1 at slot `peak`, `[H, W]`."""
    distance = (np.arange(SLOTS_A_DAY)[:, None, None] - peak) / width
    bell = 1 / (1 + distance * distance)
    return bell * bell


def _unit(raw):
    """Float in [0, 1) from 64 random bits, exactly."""
    return (int(raw) >> 11) * 2.0**-53
