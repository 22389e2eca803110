"""Files that this package writes and reads again: JSON, and a CSV log that survives damage."""

import csv
import errno
import io
import json
import math
import os
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from absl import logging

from mim_tf.errors import MimError
from mim_tf.storage import paths


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Write a file atomically; raise `OSError` if that fails."""
    with paths.replaced_whole(path) as part:
        part.write_bytes(content)


def write_json(path: Path, content) -> None:
    """Write JSON atomically; raise `OSError` if that fails."""
    write_bytes(path, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())


def write_npz(path: Path, **arrays) -> None:
    """Write compressed arrays atomically; raise `OSError` if that fails."""
    with paths.replaced_whole(path, ".npz") as part:
        np.savez_compressed(part, **arrays)


def read_json(path: Path) -> dict:
    """Return the object in a JSON file; raise `MimError` if it is missing or corrupted."""
    text = paths.read_text(path)
    try:
        content = paths.parse_json(text)
    except ValueError as error:
        raise MimError(f"{path} cannot be read: {error}. Restore a copy of it.") from None
    if not isinstance(content, dict):
        raise MimError(f"{path} is corrupted: expected an object, got {content!r:.40}.")
    return content


LARGEST = 3.4e38
"""Largest number in files of runs: what float32 holds, so that no sum or chart overflows."""


def fits(value: Any, form: Any) -> bool:
    """Return whether a value from JSON has a form.

    A form is a type, None, a tuple of forms of which one has to fit, a list with the form of all
    items, or a dictionary with the forms of fields. The key `...` has the form of all values. A
    missing field is None. `int` stands for a count from 0, `float` for any number up to `LARGEST`.
    """
    if isinstance(form, tuple):
        return any(fits(value, each) for each in form)
    if isinstance(form, list):
        return isinstance(value, list) and all(fits(each, form[0]) for each in value)
    if isinstance(form, dict):
        return isinstance(value, dict) and all(
            all(fits(each, part) for each in value.values())
            if name is ...
            else fits(value.get(name), part)
            for name, part in form.items()
        )
    if form is int:
        return type(value) is int and 0 <= value < 2**53
    if form is float:
        return type(value) in (int, float) and abs(value) <= LARGEST
    return value is None if form is None else isinstance(value, form)


def check_form(content: Any, form: dict) -> None:
    """Raise `ValueError` with the first field of `content` that does not have its form."""
    wrong = [name for name, part in form.items() if not fits(content, {name: part})]
    if wrong:
        raise ValueError(f"no valid {wrong[0]} in it")


def csv_bytes(rows, end: str = "\r\n") -> bytes:
    """Return rows as the content of a CSV file; `end` is the end of a line."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=end).writerows(rows)
    return text.getvalue().encode()


class CsvLog:
    """A CSV file of numbers with one row per iteration.

    Args:
        path: of the file. An existing file is continued. Corrupted or truncated rows are left out;
            a warning is logged and a copy of the file is kept.
        columns: names, the first is `iteration`. A file of an earlier version, which lacks the last
            columns, continues without them.
        last_iteration: later rows are left out, because they will be written again.

    Raises `MimError` if the file cannot be read or written. `last` is column -> number of the last
    row, empty if there is no row.
    """

    def __init__(self, path: Path, columns, last_iteration: int):
        lines, unfinished = [list(columns)], ""
        if os.path.lexists(path):
            with paths.open_file(path, "a log of numbers") as file:
                text = file.read().decode("utf-8", "replace")
            *whole, unfinished = text.split("\n")
            lines = [line.rstrip("\r").split(",") for line in whole]
        if lines and lines[0] == list(columns[: len(lines[0])]):
            columns = lines[0]
        rows = [row for row in lines if _is_row(row, len(columns))]
        if unfinished or lines != [list(columns), *rows]:
            copy = path.with_name(path.name + ".damaged")
            with paths.replaced_whole(copy) as part:  # not through a link of that name
                shutil.copyfile(path, part)
            logging.warning("%s is corrupted: its good rows are kept, all of it in %s.", path, copy)
        rows = [row for row in rows if int(row[0]) <= last_iteration]
        with paths.written_whole(path, replace=True) as part:
            part.write_bytes(csv_bytes([columns, *rows]))
        self.path, self.columns = path, columns
        self.last = dict(zip(columns, map(float, rows[-1]), strict=True)) if rows else {}
        self._waiting: list = []

    def append(self, row) -> None:
        """Add a row. If it cannot be written, log a warning and keep it for the next call."""
        self._waiting.append(row[: len(self.columns)])
        content = csv_bytes(self._waiting)
        try:
            with self.path.open("ab", buffering=0) as file:
                size = file.tell()
                # On a full disk a part may be written; it is cut off and tried again later.
                if file.write(content) < len(content):
                    file.truncate(size)
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            if len(self._waiting) == 1:
                message = "%s cannot be written, its rows wait: %s."
                logging.warning(message, self.path, error.strerror)
            return
        if len(self._waiting) > 1:
            logging.warning("%s is complete again.", self.path)
        self._waiting = []


def _is_row(cells, columns):
    """Return whether the cells are an iteration and finite numbers."""
    try:
        finite = all(math.isfinite(float(cell)) for cell in cells)
    except ValueError:
        return False
    return len(cells) == columns and finite and re.fullmatch("[0-9]{1,15}", cells[0]) is not None
