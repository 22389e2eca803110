"""Times of fields: steps, gaps, months, calendars and dates."""

from pathlib import Path

import numpy as np
import pytest

from mim_tf.data.sets.grid.times import (
    Times,
    days_of_months,
    join_times,
    read_times,
    runs,
    usual_step,
)
from mim_tf.errors import MimError
from mim_tf.values.step import step_from_words, step_in_words

cftime = pytest.importorskip("cftime", reason="cftime knows the calendars")
PATH = Path("a.nc")


def hours(*numbers):
    values = np.datetime64("2020-01-01", "h") + np.array(numbers, "timedelta64[h]")
    return read_times(PATH, values.astype("datetime64[ns]"))


def dates(*texts):
    return read_times(PATH, np.array(texts, "datetime64[ns]"))


def of_calendar(calendar, *days):
    return read_times(PATH, np.array([cftime.datetime(*day, calendar=calendar) for day in days]))


@pytest.mark.parametrize(
    ("step", "unit", "words"),
    [
        (3600, "seconds", "1 hour"),
        (300, "seconds", "5 minutes"),
        (172_800, "seconds", "2 days"),
        (7, "seconds", "7 seconds"),
        (0.04, "seconds", "0.04 seconds"),
        (2.5, "seconds", "2.5 seconds"),
        (1e-5, "seconds", "1e-05 seconds"),
        (1, "months", "1 month"),
        (24, "months", "2 years"),
    ],
)
def test_steps_in_words_and_back(step, unit, words):
    assert step_in_words(step, unit) == words
    assert step_from_words(words) == (step, unit)


@pytest.mark.parametrize(
    "words", ["", "hour", "0 hours", "-1 hours", "1.5 days", "3 weeks", "3", "0.0 seconds"]
)
def test_words_that_are_no_step(words):
    with pytest.raises(MimError, match="6 hours"):
        step_from_words(words)


def test_stretches_end_at_gaps_and_where_the_step_changes():
    times = hours(0, 1, 2, 3, 7, 8, 9, 12, 15)
    assert usual_step(times) == (3600, "seconds")
    assert runs(times, 0, 9) == [(0, 4), (4, 7), (7, 8), (8, 9)]
    assert runs(times, 2, 6) == [(2, 4), (4, 6)]


def test_months_and_years_are_steps_of_one_size_and_thirty_days_are_no_month():
    months = dates("2020-01-15", "2020-02-15", "2020-03-15", "2020-05-15", "2020-06-15")
    assert usual_step(months) == (1, "months")
    assert runs(months, 0, 5) == [(0, 3), (3, 5)]
    assert step_in_words(*usual_step(dates("2019-01-01", "2020-01-01", "2021-01-01"))) == "1 year"
    thirty = dates("2020-01-01", "2020-01-31", "2020-03-01", "2020-03-31")
    assert step_in_words(*usual_step(thirty)) == "30 days"


@pytest.mark.parametrize(
    ("given", "later"),
    [
        # All steps of these have the same number of days.
        ("2001-01-01 2002-01-01 2003-01-01 2004-01-01", "2005-01-01 2006-01-01 2007-01-01"),
        ("2001-07-01 2001-08-01 2001-09-01", "2001-10-01 2001-11-01 2001-12-01"),
        ("2001-01-01 2001-02-01", "2001-03-01 2001-04-01"),
        ("2001-07-31 2001-08-31", "2001-09-30 2001-10-31"),
        ("2001-01-31 2001-02-28", "2001-03-31 2001-04-30"),
        ("2001-01-31 2001-02-28 2001-03-31 2001-04-30", "2001-05-31 2001-06-30"),
        # The middle of each month, as climate models have it.
        ("2001-01-16T12 2001-02-15 2001-03-16T12", "2001-04-16 2001-05-16T12"),
        ("2001-01-15 2001-02-14 2001-03-16", "2001-04-15 2001-05-15"),
        ("2020-03-15 2020-04-14 2020-05-14 2020-06-13 2020-08-12", "2020-09-11 2020-10-11"),
        # Beyond the range of nanoseconds, see below.
        ("2262-04-09", ""),
    ],
)
def test_times_that_follow_months_and_what_looks_like_months(given, later):
    times, expected = dates(*given.split()), later.split()
    following = times.following(len(times) - 1, len(expected), usual_step(times))
    np.testing.assert_array_equal(following.values, np.array(expected, "datetime64[ns]"))


@pytest.mark.parametrize(
    ("calendar", "days", "first", "later"),
    [
        ("noleap", [(2003, 1, 1), (2004, 1, 1)], "2003-01-01", (2005, 1, 1)),
        ("360_day", [(2003, 6, 1), (2004, 6, 1)], "2003-06-01", (2005, 6, 1)),
        ("noleap", [(2004, 1, 31), (2004, 2, 28)], "2004-01-31", (2004, 3, 31)),
        ("360_day", [(2004, 1, 30), (2004, 2, 30)], "2004-01-30", (2004, 3, 30)),
        ("noleap", [(2004, 12, 5), (2005, 1, 4)], "2004-12-05", (2005, 2, 3)),
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
def test_other_calendars_and_years_out_of_the_range_of_nanoseconds(calendar, days, first, later):
    times = of_calendar(calendar, *days)
    assert times.text(0) == first
    assert [value.timetuple()[:3] for value in times.values] == days
    assert times.position(first) == 0
    following = times.following(1, 1, usual_step(times))
    assert following.values[0].timetuple()[:3] == later


def test_a_forecast_may_leave_the_years_of_nanoseconds():
    times = dates("2262-04-10", "2262-04-11")
    assert times.values.dtype == "datetime64[ns]"
    later = times.following(1, 2, usual_step(times))
    assert later.span() == "2262-04-12 to 2262-04-13"
    assert [value.day for value in later.values] == [12, 13]


def test_dates_divide_the_times():
    times = hours(0, 6, 12, 18, 24)
    found = [times.position(date) for date in ("2020-01-01", " 2020-01-01T07:00 ", "2020-01-02")]
    assert found == [0, 2, 4]
    leapless = of_calendar("noleap", (2000, 1, 1), (2000, 1, 2))
    for other, date in ((times, "May"), (leapless, "2000-02-29"), (leapless, "12000-01-01")):
        with pytest.raises(MimError, match=f"--split_dates.*{date}"):
            other.position(date)
    month = of_calendar("360_day", (2000, 2, 28), (2000, 2, 29), (2000, 2, 30), (2000, 3, 1))
    assert runs(month, 0, 4) == [(0, 4)]
    assert (month.text(2), month.position("2000-03-01")) == ("2000-02-30", 3)


def test_times_that_floats_hold_only_nearly_are_rounded():
    nearly = np.array(["2009-07-08T00:04:59.999999488", "2009-07-08T00:10"], "datetime64[ns]")
    assert read_times(PATH, nearly).text(0) == "2009-07-08 00:05"
    times = of_calendar("noleap", (2001, 1, 1, 0, 59, 59, 999_997), (2001, 1, 1, 2))
    assert usual_step(times) == (3600, "seconds")


def test_files_follow_each_other():
    joined = join_times([(PATH, hours(0, 1, 2)), (Path("b.nc"), hours(3, 4))])
    assert (len(joined), usual_step(joined)) == (5, (3600, "seconds"))
    early = of_calendar("standard", (1582, 10, 3), (1582, 10, 4))
    later, proleptic = (
        of_calendar(calendar, (1582, 10, 15), (1582, 10, 16))
        for calendar in ("standard", "proleptic_gregorian")
    )
    assert proleptic.calendar == later.calendar
    joined = join_times([(PATH, early), (Path("b.nc"), later)])
    assert runs(joined, 0, 4) == [(0, 4)]
    assert (joined.text(1), joined.text(2)) == ("1582-10-04", "1582-10-15")
    of_year_1500 = of_calendar("proleptic_gregorian", (1500, 1, 1))
    assert join_times([(PATH, of_year_1500), (Path("b.nc"), later)]).text(1) == "1582-10-15"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (hours(0, 1, 2), hours(2, 3)),
        (hours(0, 1, 2), Times(np.array([2**40]), "noleap")),
        (of_calendar("proleptic_gregorian", (1500, 1, 1)), of_calendar("standard", (1582, 1, 1))),
    ],
)
def test_files_that_do_not_follow_each_other(first, second):
    with pytest.raises(MimError, match=r"^b\.nc: .*a\.nc.*xarray"):
        join_times([(PATH, first), (Path("b.nc"), second)])


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([], "one time"),
        (["2020-01-01", "NaT"], "number 2 of 2"),
        (["2020-01-01T01", "2020-01-01T01"], "2020-01-01 01:00, then 2020-01-01 01:00"),
        (["2020-01-01T03", "2020-01-01T02"], "2020-01-01 03:00, then 2020-01-01 02:00"),
    ],
)
def test_what_is_no_sequence_of_times(times, message):
    with pytest.raises(MimError, match=rf"a\.nc: .*{message}"):
        dates(*times)


@pytest.mark.parametrize("step", [0.25, 0.999, 1.5, 100.5, 1000.5])
@pytest.mark.parametrize("calendar", ["standard", "noleap"])
def test_steps_that_are_no_whole_seconds_are_refused(step, calendar):
    times = cftime.num2date(step * np.arange(12), "seconds since 2020-01-01", calendar)
    if calendar == "standard":
        times = np.array([np.datetime64(time.isoformat(), "ns") for time in times])
    with pytest.raises(MimError, match=rf"a\.nc: .*got {step} s.*kept to the whole second"):
        read_times(PATH, times)


def test_equal_steps_may_begin_within_a_second():
    times = np.datetime64("2020-01-01T00:00:00.5", "ns") + np.arange(5) * np.timedelta64(2, "s")
    assert usual_step(read_times(PATH, times)) == (2, "seconds")


@pytest.mark.parametrize(
    ("months", "start", "calendar", "days"),
    [
        ([0, 1, 2], "2019-12-15", "standard", [0, 31, 62]),
        ([0, 1, 2, 3], "2020-01-31", "standard", [0, 29, 60, 90]),  # the last day of each
        ([2, 14], "2020-01-01 06:00", "noleap", [59, 424]),
        ([-1, 240], "1980-01-01", "julian", [-31, 7305]),
    ],
)
def test_whole_months_are_days(months, start, calendar, days):
    assert days_of_months(np.array(months), start, calendar).tolist() == days
