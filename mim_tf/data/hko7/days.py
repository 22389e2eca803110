"""The days of HKO-7's splits, and the times of their frames."""

import datetime
import os
import re
from pathlib import Path

from mim_tf.data.split import ALL, SPLITS
from mim_tf.errors import MimError
from mim_tf.given_path import list_folder, read_text

PICTURES = "radarPNG"
STEP = datetime.timedelta(minutes=6)
MOST_MISSING = 2
"""Frames in a row that a window may lack, as in the benchmark; none of their pixels counts."""

_NAME = re.compile(r"RAD\d{12}\.png")
_DAY = re.compile(r"\s*(\d{8})\b")


def read_days(root: Path, split: str) -> list[str]:
    """The days of a split, "YYYYMMDD", sorted."""
    days: set[str] = set()
    for each in SPLITS if split == ALL else (split,):
        path = root / f"hko7_rainy_{each}_days.txt"
        lines = read_text(path, "a list of days of HKO-7").split("\n")
        for number, line in enumerate(lines, 1):
            match = _DAY.match(line)
            if match:
                days.add(match[1])
            elif line.strip():
                raise MimError(
                    f"{path}: expected a day such as 20150101 in line {number}, received "
                    f"{line.strip()!r}. Download it again."
                )
    return sorted(days)


def read_times(root: Path, days: list[str]) -> list[datetime.datetime]:
    """Of the pictures of these days, sorted."""
    times = []
    for day in days:
        folder = root / PICTURES / day[:4] / day[4:6] / day[6:]
        paths = list_folder(folder) if os.path.isdir(folder) else []
        times += [_time_of(path) for path in paths if _NAME.fullmatch(path.name)]
    if not times:
        raise MimError(
            f"{root}: expected pictures such as {PICTURES}/2015/01/01/RAD150101000000.png of the "
            f"{len(days)} days in the lists, found none. Check the path."
        )
    return sorted(times)


def _time_of(path):
    try:
        return datetime.datetime.strptime(path.name, "RAD%y%m%d%H%M%S.png")
    except ValueError:
        raise MimError(
            f"{path}: expected a date and time in the name, such as RAD150101000000.png, received "
            "one that does not exist. Rename it or leave it out."
        ) from None


def split_runs(times: list[datetime.datetime]) -> list[list[datetime.datetime | None]]:
    """Times six minutes apart, None in the place of up to two in a row that are missing."""
    runs: list[list[datetime.datetime | None]] = []
    last = None
    for time in times:
        steps = (time - last) // STEP if last else 0
        on_time = last is not None and (time - last) % STEP == datetime.timedelta(0)
        if on_time and steps <= MOST_MISSING + 1:
            runs[-1] += [None] * (steps - 1)
        else:
            runs.append([])
        runs[-1].append(time)
        last = time
    return runs
