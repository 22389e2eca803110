"""Small files in the format of TaxiBJ."""

import datetime
from pathlib import Path

import h5py
import numpy as np

from mim_tf.config import DataConfig
from mim_tf.data.sets.taxibj import TEST_WINDOWS, open_taxibj


def dates(first, days, without=()):
    """The dates of all half hours from the day `first`, except at the indices in `without`."""
    every = [
        b"%s%02d" % (f"{first + datetime.timedelta(day):%Y%m%d}".encode(), slot)
        for day in range(days)
        for slot in range(1, 49)
    ]
    return [date for index, date in enumerate(every) if index not in without]


# Four days of 2013, the second without its slot 10: 191 half hours. One day of 2014.
DATES_2013 = dates(datetime.date(2013, 7, 1), 4, [48 + 9])
DATES_2014 = dates(datetime.date(2014, 3, 1), 1)


def counts(slots, seed):
    """Counts of 1 to 99; cells and channels differ."""
    return np.random.default_rng(seed).integers(1, 100, (slots, 2, 3, 4)).astype(np.float64)


def write_h5(path, data, date, **options):
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=data, **options)
        file["date"] = np.array(date)
    return path


def open_city(paths, split, total_length, test_windows=TEST_WINDOWS, **settings):
    """`open_taxibj` with fields of `DataConfig`."""
    data = DataConfig("taxibj", [Path(path) for path in paths], **settings)
    return open_taxibj(data, split, None, total_length, test_windows)


def open_small(path, split="test", **settings):
    """Windows of five half hours, the last 20 of them to test on."""
    return open_city([path], split, 5, test_windows=20, **settings)
