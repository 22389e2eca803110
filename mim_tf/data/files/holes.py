"""Where time is missing within a recording, by the times of its frames or by the names of files."""

import contextlib
import datetime
import itertools
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mim_tf.errors import MimError

_DATES = ("YmdHMS", "YmdHM", "YmdH", "Ymd", "Ym", "YjHMS", "YjHM", "Yj", "ymdHMS", "ymdHM")
_CLOCKS = ("ymd", "mdHM", "dHM", "md", "HMS", "HM")
"""Digits of dates and times of day in names of files, by their letters in strftime."""

_SIZES = {"Y": 4, "j": 3}
_YEAR_LAST = re.compile(r"(?<!\d)(?:(\d\d?)\D|(\d\d))?(?:(\d\d?)\D|(\d\d))((?:19|20)\d\d)(?!\d)")
"""Day, if there is one, month and year, each with a separator or of two digits."""
_DECIMAL, _WHOLE = re.compile(r"(\d+(?:\.\d+)?)"), re.compile(r"(\d+)")


class Pace(NamedTuple):
    """How far apart in time frames are; `holes` and `step` are those of a `Recording`.

    If most steps differ, or nothing tells them, none is usual, and no hole is known.
    """

    holes: tuple[int, ...] = ()
    step: float = 0.0


def pace_of_names(paths: Sequence[Path]) -> Pace:
    """Return the pace of frames by the dates, times of day or numbers in the names of their files.

    Names in which several numbers change that are no date, or text changes, tell nothing. Dates
    that end with the year raise `MimError` if the order of the numbers is not that of the dates.

    Args:
        paths: of a recording, in order, one for each frame.
    """
    found = [_YEAR_LAST.search(path.stem) for path in paths]
    dates = [[*map(int, filter(None, each.groups()[::-1]))] for each in found if each]
    dates = [date for date in dates if 0 < date[1] <= 12]
    if len(dates) == len(paths) and dates != sorted(dates):
        raise MimError(
            f"{paths[0]}: expected names in the order of their dates, got dates that end with the "
            "year. Rename the files: year, month, day."
        )
    stems = [path.stem for path in paths]
    rising = _rising(_moments(stems, _DATES[:2])) or _rising(_readings(stems))
    if not rising:
        return Pace(step=math.nan if len(paths) > 1 else 0.0)
    # A date with a time of day is right, whatever counts the files beside it. Otherwise the same
    # digits can be a date, a time of day or a number, and the most regular reading is right.
    steps, in_seconds = min(rising, key=lambda each: _are_uneven(each[0], 0.25).mean())
    pace = pace_of_steps(steps, 0.25)
    return pace if in_seconds or math.isnan(pace.step) else Pace(pace.holes)


def pace_of_steps(steps: np.ndarray, tolerance: float) -> Pace:
    """Return the pace of frames that are `steps` apart `[T - 1]`, in seconds.

    A step may differ from the median by a share of `tolerance`. A longer or shorter one is a hole.
    """
    if not len(steps):
        return Pace()
    uneven = _are_uneven(steps, tolerance)
    if uneven.mean() > 0.5:
        return Pace(step=math.nan)
    return Pace(tuple((np.flatnonzero(uneven) + 1).tolist()), float(np.median(steps)))


def _rising(readings):
    """Return steps `[T - 1]`, and whether they are in seconds, of readings that rise."""
    every = [(np.diff(times), in_seconds) for times, in_seconds in readings]
    return [each for each in every if len(each[0]) and (each[0] > 0).all()]


def _are_uneven(steps, tolerance):
    return np.abs(steps - np.median(steps)) > tolerance * np.median(steps)


def _readings(names: list[str]) -> Iterator[tuple[list[float], bool]]:
    """Yield what the names can say of the time of each frame, and whether it is in seconds.

    The likelier reading of the same digits comes first.
    """
    yield from _moments(names, _DATES)
    for number in (_DECIMAL, _WHOLE):
        parts = [number.split(name) for name in names]
        if len({tuple(each[::2]) for each in parts}) == 1:
            changing = [n for n in range(1, len(parts[0]), 2) if len({p[n] for p in parts}) > 1]
            if len(changing) == 1:
                yield [float(each[changing[0]]) for each in parts], False
    yield from _moments(names, _CLOCKS)


def _moments(names, forms):
    """Yield seconds for each form of which neighbouring digits of all names are, in one place."""
    groups = [_WHOLE.findall(name) for name in names]
    count = min(map(len, groups))
    for first, last in itertools.combinations_with_replacement(range(count), 2):
        texts = ["".join(each[first : last + 1]) for each in groups]
        if len(set(texts)) == 1 or len({len(text) for text in texts}) > 1:
            continue
        for form in forms:
            if len(texts[0]) == sum(_SIZES.get(letter, 2) for letter in form):
                with contextlib.suppress(ValueError):
                    yield [_moment(text, form) for text in texts], True


def _moment(text, form):
    """Return seconds of a date or time of day; raise `ValueError` if it is none."""
    if "y" in form:
        text, form = f"20{text}", form.replace("y", "Y")
    elif "Y" not in form:
        text, form = f"2000{text}", f"Y{form}"
    moment = datetime.datetime.strptime(text, "".join(f"%{letter}" for letter in form))
    if not 1900 <= int(text[:4]) < 2100:
        raise ValueError
    return (moment - datetime.datetime(1900, 1, 1)).total_seconds()
