"""Files of JSON that this package writes and reads again."""

import csv
import errno
import io
import json
import math
import os
import re
import shutil
from pathlib import Path

from absl import logging

from mim_tf.errors import MimError
from mim_tf.storage.paths import move_into_place, open_file, parse_json, read_text


def write_json(path: Path, content) -> None:
    """Writes JSON all or nothing."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")
    move_into_place(part, path)


def read_json(path: Path) -> dict:
    """The object in a file of `write_json`.

    Raises:
        MimError: if there is none.
    """
    try:
        content = parse_json(read_text(path))
    except MimError:
        raise
    except ValueError as error:
        raise MimError(f"{path} cannot be read: {error}. Put a copy of it back.") from None
    if not isinstance(content, dict):
        raise MimError(f"{path} is damaged: expected an object, received {content!r:.40}.")
    return content


# MERGED: Numbers of a run, a row an iteration.


class CsvLog:
    """A CSV file of numbers with one row an iteration.

    Args:
        path: of the file. One that exists is continued; rows that are damaged or cut off are
            left out, with a warning and a copy of the file as it was.
        columns: names, the first of them `iteration`. A file of an earlier version, which lacks the
            last of them, goes on without.
        last_iteration: rows after it are left out, because they will be written again.

    Raises `MimError` if the file cannot be read or written.

    Attributes:
        last: column -> number of the last of the rows that are there; empty if there is none.
    """

    def __init__(self, path: Path, columns, last_iteration: int):
        lines, unfinished = [list(columns)], ""
        if os.path.lexists(path):
            with open_file(path, "a log of numbers") as file:
                text = file.read().decode("utf-8", "replace")
            *whole, unfinished = text.split("\n")
            lines = [line.rstrip("\r").split(",") for line in whole]
        if lines and lines[0] == list(columns[: len(lines[0])]):
            columns = lines[0]
        rows = [row for row in lines if _is_row(row, len(columns))]
        if unfinished or lines != [list(columns), *rows]:
            copy = path.with_name(path.name + ".damaged")
            shutil.copyfile(path, copy)
            logging.warning("%s is damaged: its good rows are kept, all of it in %s.", path, copy)
        rows = [row for row in rows if int(row[0]) <= last_iteration]
        part = path.with_name(path.name + ".part")
        try:
            with part.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerow(columns)
                csv.writer(file).writerows(rows)
            move_into_place(part, path)
        except OSError as error:
            raise MimError(f"{path} cannot be written: {error}. Make it writable.") from None
        self.path = path
        self.columns = columns
        self.last = dict(zip(columns, map(float, rows[-1]), strict=True)) if rows else {}
        self._waiting: list = []

    def append(self, row) -> None:
        """Adds a row. Where it cannot be written, it is kept for the next time, with a warning."""
        self._waiting.append(row[: len(self.columns)])
        text = io.StringIO(newline="")
        csv.writer(text).writerows(self._waiting)
        try:
            _append(self.path, text.getvalue().encode())
        except OSError as error:
            if len(self._waiting) == 1:
                logging.warning(
                    "%s cannot be written, its rows wait: %s.", self.path, error.strerror
                )
            return
        if len(self._waiting) > 1:
            logging.warning("%s is complete again.", self.path)
        self._waiting = []


def _append(path, content):
    """Writes at the end of a file, all or nothing."""
    with path.open("ab", buffering=0) as file:
        size = file.tell()
        try:
            if file.write(content) < len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        except OSError:
            file.truncate(size)
            raise


def _is_row(cells, columns):
    """Whether they are an iteration and a finite number for each other column."""
    try:
        finite = all(math.isfinite(float(cell)) for cell in cells)
    except ValueError:
        return False
    return len(cells) == columns and finite and re.fullmatch("[0-9]{1,15}", cells[0]) is not None
