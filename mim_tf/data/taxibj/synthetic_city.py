"""A made-up city in the format of TaxiBJ, to try things out without the data.

Nothing in it was measured, and scores on it say nothing about TaxiBJ.
"""

import datetime

import numpy as np

from mim_tf.data.taxibj.days import SLOTS_A_DAY
from mim_tf.data.taxibj.h5 import RawSlots

SIDE = 32
FIRST_DAY = datetime.date(2001, 3, 5)  # a Monday
DAYS = 56


def synthetic_city() -> RawSlots:
    """Eight weeks of half hours in a city of 32 x 32 cells.

    Traffic runs from homes to offices in the morning and back in the evening, in waves that cross
    the city, with a third of the strength at weekends. Days differ in strength; counts are noisy.
    """
    random = np.random.default_rng(0)
    homes, offices = _districts(random, 9, 4), _districts(random, 3, 3)
    rows, columns = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    delay = np.hypot(rows, columns) / 8  # half hours between a cell and the centre
    slot = np.arange(SLOTS_A_DAY)[:, None, None]
    morning, evening = (np.exp(-(((slot - peak) / 3) ** 2)) for peak in (17 - delay, 36 + delay))
    inflow, outflow = (
        morning * offices + evening * homes,
        morning * homes + evening * offices,
    )
    strength = random.uniform(0.85, 1.15, DAYS) * np.where(np.arange(DAYS) % 7 < 5, 1, 1 / 3)
    mean = 300 * np.tensordot(strength, np.stack([inflow, outflow], axis=1), 0)
    counts = random.poisson(mean.reshape(-1, 2, SIDE, SIDE)).astype(np.float32)
    days = [FIRST_DAY + datetime.timedelta(day) for day in range(DAYS)]
    dates = [b"%s%02d" % (f"{day:%Y%m%d}".encode(), s + 1) for day in days for s in slot.flat]
    return RawSlots("synthetic city", counts, dates)


def _districts(random, count, radius):
    """Density `[H, W]` of `count` districts anywhere in the city."""
    place = np.mgrid[:SIDE, :SIDE][:, None]
    centre = random.integers(3, SIDE - 3, (2, count, 1, 1))
    return (1 / (1 + ((place - centre) ** 2).sum(axis=0) / radius**2)).sum(axis=0)
