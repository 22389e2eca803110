from pathlib import Path

import numpy as np
import pytest

from mim_tf.data.sets.grid.times import Times, join_times, read_times, runs, usual_step
from mim_tf.errors import MimError
from mim_tf.values.step import step_in_words

PATH = Path("a.nc")


def hours(*numbers, start="2020-01-01"):
    values = np.datetime64(start, "h") + np.array(numbers, "timedelta64[h]")
    return read_times(PATH, values.astype("datetime64[ns]"))


def dates(*texts):
    return read_times(PATH, np.array(texts, "datetime64[ns]"))


def test_no_time_at_all_is_one_sentence():
    with pytest.raises(MimError, match=r"a\.nc: expected at least one time"):
        hours()


def test_stretches_end_at_gaps_and_where_the_step_changes():
    times = hours(0, 1, 2, 3, 7, 8, 9, 12, 15)
    assert usual_step(times) == (3600, "seconds")
    assert runs(times, 0, 9) == [(0, 4), (4, 7), (7, 8), (8, 9)]
    assert runs(times, 2, 6) == [(2, 4), (4, 6)]


def test_months_and_years_are_steps_of_one_size():
    months = dates("2020-01-15", "2020-02-15", "2020-03-15", "2020-05-15", "2020-06-15")
    assert usual_step(months) == (1, "months")
    assert runs(months, 0, 5) == [(0, 3), (3, 5)]
    years = dates("2019-01-01", "2020-01-01", "2021-01-01")
    assert step_in_words(*usual_step(years)) == "1 year"


def test_thirty_days_are_no_month():
    times = dates("2020-01-01", "2020-01-31", "2020-03-01", "2020-03-31")
    assert step_in_words(*usual_step(times)) == "30 days"


@pytest.mark.parametrize(
    ("given", "later"),
    [
        # All steps of these have the same number of days.
        ("2001-01-01 2002-01-01 2003-01-01 2004-01-01", "2005-01-01 2006-01-01 2007-01-01"),
        ("2001-07-01 2001-08-01 2001-09-01", "2001-10-01 2001-11-01 2001-12-01"),
        ("2001-01-01 2001-02-01", "2001-03-01 2001-04-01"),
        ("2001-02-01 2001-03-01", "2001-04-01 2001-05-01"),
        ("2001-07-31 2001-08-31", "2001-09-30 2001-10-31"),
        ("2001-01-31 2001-02-28", "2001-03-31 2001-04-30"),
        ("2001-01-31 2001-02-28 2001-03-31 2001-04-30", "2001-05-31 2001-06-30"),
        # The middle of each month, as climate models have it.
        ("2001-01-16T12 2001-02-15 2001-03-16T12", "2001-04-16 2001-05-16T12"),
        ("2001-01-15 2001-02-14 2001-03-16", "2001-04-15 2001-05-15"),
        ("2020-03-15 2020-04-14 2020-05-14 2020-06-13 2020-08-12", "2020-09-11 2020-10-11"),
    ],
)
def test_what_follows_months_and_what_only_looks_like_months(given, later):
    expected = dates(*later.split())
    times = dates(*given.split())
    following = times.following(len(times) - 1, len(expected), usual_step(times))
    np.testing.assert_array_equal(following.values, expected.values)


@pytest.mark.parametrize(
    ("calendar", "given", "later"),
    [
        ("noleap", [(2003, 1, 1), (2004, 1, 1)], (2005, 1, 1)),
        ("360_day", [(2003, 6, 1), (2004, 6, 1)], (2005, 6, 1)),
        ("noleap", [(2004, 1, 31), (2004, 2, 28)], (2004, 3, 31)),
        ("360_day", [(2004, 1, 30), (2004, 2, 30)], (2004, 3, 30)),
        ("noleap", [(2004, 12, 5), (2005, 1, 4)], (2005, 2, 3)),
    ],
)
def test_what_follows_months_of_other_calendars(calendar, given, later):
    cftime = pytest.importorskip("cftime", reason="cftime reads calendars of climate models")
    times = read_times(PATH, np.array([cftime.datetime(*d, calendar=calendar) for d in given]))
    assert times.following(1, 1, usual_step(times)).values.tolist() == [
        cftime.datetime(*later, calendar=calendar)
    ]


def test_dates_divide_the_times():
    times = hours(0, 6, 12, 18, 24)
    assert times.position("2020-01-01") == 0
    assert times.position(" 2020-01-01T07:00 ") == 2
    assert times.position("2020-01-02") == 4
    with pytest.raises(MimError, match="a date such as 2016-01-01 in split_dates, received 'May'"):
        times.position("May")


def test_calendars_of_models():
    cftime = pytest.importorskip("cftime", reason="cftime reads calendars of climate models")
    days = [cftime.datetime(2000, 2, day, calendar="360_day") for day in (28, 29, 30)]
    days.append(cftime.datetime(2000, 3, 1, calendar="360_day"))
    times = read_times(PATH, np.array(days))
    assert runs(times, 0, 4) == [(0, 4)]
    assert (times.text(2), times.position("2000-03-01")) == ("2000-02-30", 3)
    assert list(times.values) == days


def of_cftime(calendar, *days):
    cftime = pytest.importorskip("cftime", reason="cftime has dates beyond those of nanoseconds")
    return read_times(PATH, np.array([cftime.datetime(*day, calendar=calendar) for day in days]))


@pytest.mark.parametrize(
    ("calendar", "days", "first", "later"),
    [
        ("standard", [(2290, 1, 1), (2290, 1, 2)], "2290-01-01", (2290, 1, 3)),
        ("proleptic_gregorian", [(2299, 12, 1), (2300, 1, 1)], "2299-12-01", (2300, 2, 1)),
        ("standard", [(1600, 2, 28), (1600, 2, 29)], "1600-02-28", (1600, 3, 1)),
        ("standard", [(850, 1, 1), (851, 1, 1)], "0850-01-01", (852, 1, 1)),
        # Until 1582-10-04 the standard calendar is the Julian one, with its leap years.
        ("standard", [(1500, 2, 27), (1500, 2, 28)], "1500-02-27", (1500, 2, 29)),
        ("proleptic_gregorian", [(1500, 2, 27), (1500, 2, 28)], "1500-02-27", (1500, 3, 1)),
        ("standard", [(1582, 10, 3), (1582, 10, 4)], "1582-10-03", (1582, 10, 15)),
        ("proleptic_gregorian", [(1582, 10, 3), (1582, 10, 4)], "1582-10-03", (1582, 10, 5)),
    ],
)
def test_years_that_nanoseconds_do_not_reach(calendar, days, first, later):
    times = of_cftime(calendar, *days)
    assert times.text(0) == first
    assert [value.timetuple()[:3] for value in times.values] == days
    assert times.position(first) == 0
    following = times.following(1, 1, usual_step(times))
    assert following.values[0].timetuple()[:3] == later


def test_a_forecast_may_leave_the_years_of_nanoseconds():
    times = dates("2262-04-10", "2262-04-11")
    assert times.values.dtype == "datetime64[ns]"
    later = times.following(1, 2, usual_step(times))
    assert (later.text(0), later.text(1)) == ("2262-04-12", "2262-04-13")
    assert [value.day for value in later.values] == [12, 13]


def test_files_of_one_gregorian_calendar_follow_each_other():
    early = of_cftime("standard", (1582, 10, 3), (1582, 10, 4))
    later, proleptic = (
        of_cftime(calendar, (1582, 10, 15), (1582, 10, 16))
        for calendar in ("standard", "proleptic_gregorian")
    )
    joined = join_times([(PATH, early), (Path("b.nc"), later)])
    assert runs(joined, 0, 4) == [(0, 4)]
    assert (joined.text(1), joined.text(2)) == ("1582-10-04", "1582-10-15")
    assert proleptic.calendar == later.calendar
    of_year_1500 = of_cftime("proleptic_gregorian", (1500, 1, 1))
    with pytest.raises(
        MimError, match=r"calendar of a.nc, proleptic_gregorian, received gregorian"
    ):
        join_times([(PATH, of_year_1500), (Path("b.nc"), early)])


def test_times_that_floats_hold_nearly_are_rounded():
    nearly = np.array(["2009-07-08T00:04:59.999999488", "2009-07-08T00:10"], "datetime64[ns]")
    assert read_times(PATH, nearly).text(0) == "2009-07-08 00:05"
    exact = (2001, 1, 1, 2)
    times = of_cftime("noleap", (2001, 1, 1, 0, 59, 59, 999_997), exact)
    assert usual_step(times) == (3600, "seconds")


def test_dates_that_a_calendar_does_not_have():
    times = of_cftime("noleap", (2000, 1, 1), (2000, 1, 2))
    for date in ("2000-02-29", "12000-01-01"):
        with pytest.raises(MimError, match=f"Expected a date .* received '{date}'"):
            times.position(date)


def test_what_is_no_sequence_of_times():
    nothing = np.array(["2020-01-01", "NaT"], "datetime64[ns]")
    with pytest.raises(MimError, match=r"a.nc: .* received none for number 2 of 2"):
        read_times(PATH, nothing)
    with pytest.raises(MimError, match=r"the same time twice: 2020-01-01 01:00"):
        hours(0, 1, 1)
    with pytest.raises(MimError, match=r"unsorted times: 2020-01-01 03:00, then 2020-01-01 02:00"):
        hours(3, 2)


def test_files_follow_each_other():
    first, second = hours(0, 1, 2), hours(3, 4)
    joined = join_times([(PATH, first), (Path("b.nc"), second)])
    assert (len(joined), usual_step(joined)) == (5, (3600, "seconds"))
    with pytest.raises(MimError, match=r"b.nc: expected times after those of a.nc, which end at "):
        join_times([(PATH, first), (Path("b.nc"), hours(2, 3))])
    with pytest.raises(MimError, match=r"expected the calendar of a.nc, standard, received noleap"):
        join_times([(PATH, first), (Path("b.nc"), Times(np.array([9]), "noleap"))])
