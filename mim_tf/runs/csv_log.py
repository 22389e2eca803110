"""Numbers of a run, a row an iteration."""

import csv
import errno
import io
import math
import os
import re
import shutil
from pathlib import Path

from absl import logging

from mim_tf.errors import MimError
from mim_tf.given_path import open_file
from mim_tf.new_path import move_into_place


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
