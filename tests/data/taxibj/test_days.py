import numpy as np
import pytest

from mim_tf.errors import MimError
from tests.taxibj_files import DATES_2013, DATES_2014, assert_refused, counts, open_small, write_h5

NAN = counts(191, 1)
NAN[100, 1, 2, 3] = np.nan
HUGE = counts(191, 1)
HUGE[100, 1, 2, 3] = 1e300


@pytest.mark.parametrize(
    ("data", "date", "words"),
    [
        (NAN, DATES_2013, r"finite.*'2013070306'"),
        (counts(191, 1) - np.inf, DATES_2013, r"finite.*'2013070101'"),
        (HUGE, DATES_2013, r"finite.*'2013070306'"),
        (counts(47, 1), DATES_2014[1:], "at least one day with all 48 slots, received 1"),
        (counts(191, 1), DATES_2013[::-1], r"increase, received '2013070448' and .*'2013070447'"),
        (counts(191, 1), [DATES_2013[0], *DATES_2013[:-1]], r"increase.* slots 0 and 1\. "),
    ],
)
def test_days_that_cannot_be_used_are_refused(tmp_path, data, date, words):
    assert_refused(tmp_path / "a.h5", data, date, words)


@pytest.mark.parametrize(
    "date",
    [
        b"2013070149",
        b"2013070100",
        b"2013130101",
        b"2013023001",
        b"0000070101",
        b"20130701",
        b"2013-07-01",
        b"20130701 1",
        b"201307_101",
        b"20130701011",
        b"",
        b"\xff013070101",
    ],
)
def test_dates_that_are_none_are_refused(tmp_path, date):
    every = [*DATES_2013[:6], date, *DATES_2013[7:]]
    with pytest.raises(MimError, match=r"a\.h5: expected dates YYYYMMDDss .* in slot 6\. Correct"):
        open_small(write_h5(tmp_path / "a.h5", counts(191, 1), every))


def test_bad_values_in_days_that_are_left_out_do_not_matter(tmp_path):
    data = counts(191, 1)
    data[50] = np.nan
    assert open_small(write_h5(tmp_path / "a.h5", data, DATES_2013)).size == 20
