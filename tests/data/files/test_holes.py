"""Where time is missing, by the names of files and by steps."""

import datetime
import math
import re
from pathlib import Path

import numpy as np
import pytest

from mim_tf.data.files.holes import pace_of_names, pace_of_steps
from mim_tf.data.files.images import in_natural_order
from mim_tf.errors import MimError

START = datetime.datetime(2020, 1, 31, 20)
TEN_MINUTES = datetime.timedelta(minutes=10)


def times(form, step=TEN_MINUTES, absent=(40,)):
    """Names of 80 frames without those that are absent, over midnight and the end of a month."""
    return [f"{START + n * step:{form}}" for n in range(80) if n not in absent]


@pytest.mark.parametrize(
    ("names", "holes", "step"),
    [
        (times("COMPREF.%Y%m%d.%H%M"), (40,), 600),
        (times("%Y-%m-%dT%H:%M:%SZ"), (40,), 600),
        (times("RAD%y%m%d%H%M%S", absent=range(10, 22)), (10,), 600),
        (times("s%Y%j%H%M_G16"), (40,), 600),
        (times("cam2_%m%d_%H%M"), (40,), 600),
        (times("%Y%m%d", datetime.timedelta(1), absent=(3, 50)), (3, 49), 86_400),
        (times("%H%M", absent=range(24, 80)), (), 600),  # from 20:00 to 23:50
        # Months have 28 to 31 days, which are one step.
        ([f"t_{2020 + n // 12}{n % 12 + 1:02}" for n in range(30) if n != 7], (7,), 31 * 86_400),
        ([f"f{n}" for n in (1, 2, 3, 4, 5, 6, 60, 61, 62)], (6,), 0),
        ([f"{n:04}" for n in range(500)], (), 0),
        ([f"{n / 4:g}" for n in range(1, 30) if n != 8], (7,), 0),
        ([f"shot1.{n}" for n in range(1, 30) if n != 8], (7,), 0),
        ([f"20200101_{n}" for n in range(20, 50) if n != 27], (7,), 0),
        ([f"{1577836800000 + 33 * n + n % 2}" for n in range(30) if n != 7], (7,), 0),
        ([f"camera{n % 2}_{n}" for n in range(30)], (), math.nan),
        (["a1", "a2", "a3", "b1", "b2", "b3"], (), math.nan),
        (["a", "b", "c"], (), math.nan),
        ([str(n) for n in (1, 5, 6, 20, 21, 70, 100)], (), math.nan),
        (["20200101"], (), 0),
        # A number of the file and a random end hide no date.
        ([f"{n:04}_{t}" for n, t in enumerate(times("%Y%m%d_%H%M")[:50])], (40,), 600),
        ([f"{t}_{n * 7919 % 1000:x}" for n, t in enumerate(times("%Y%m%d_%H%M"))], (40,), 600),
    ],
)
def test_times_in_names(names, holes, step):
    found = pace_of_names([Path("folder", f"{name}.png") for name in names])
    np.testing.assert_equal(found, (holes, step))


@pytest.mark.parametrize(
    "months", ["01-2019 01-2020 02-2019", "012019 022018", "1.2.2019 31.1.2019"]
)
def test_dates_that_end_with_the_year_have_another_order(months):
    with pytest.raises(MimError, match="end with the year"):
        pace_of_names([Path(f"sst_{name}.png") for name in months.split()])


def test_dates_that_begin_with_the_day_have_another_order():
    days = np.datetime64("2019-01-30") + np.arange(4)
    for form in ("sst_{2}{1}{0}.png", "{2}-{1}-{0}.png", "{2}.{1}.{0}_06.png"):
        names = [form.format(*str(day).split("-")) for day in days]
        assert pace_of_names([Path(name) for name in names[2:]])  # of one month
        with pytest.raises(MimError, match=re.escape(sorted(names)[0])):
            pace_of_names(in_natural_order(map(Path, names)))


@pytest.mark.parametrize(
    ("steps", "holes", "step"),
    [
        ([0.033, 0.034, 0.033, 0.034], (), 0.0335),
        ([0.1, 0.1, 0.8, 0.1, 0.1], (3,), 0.1),
        ([0.1, 0.1, 0.0, 0.1], (3,), 0.1),
        ([0.1, 0.4, 0.02, 0.9], (), math.nan),
        ([], (), 0),
    ],
)
def test_steps(steps, holes, step):
    np.testing.assert_equal(pace_of_steps(np.array(steps), 0.5), (holes, step))
