"""`report.html`, written all or nothing."""

import os
from pathlib import Path

from absl import logging

from mim_tf.errors import MimError
from mim_tf.given_path import open_file
from mim_tf.new_path import written_whole
from mim_tf.report.page import MARK, render
from mim_tf.report.read import read_material

NAME = "report.html"


def write_report(folder: str | Path, output: str | Path | None = None) -> Path:
    """Writes the page of a run or an evaluation.

    Args:
        folder: of it.
        output: the file to make, by default `report.html` in the folder. An earlier report is
            replaced.

    Returns:
        The path of the page.

    Raises:
        MimError: there are no scores, a file is damaged, or there is another file in its place.
    """
    path = Path(output or Path(folder) / NAME)
    if os.path.lexists(path) and not _is_report(path):
        raise MimError(f"{path} exists and is no report of mim. Give another --output.")
    page = render(read_material(folder))
    with written_whole(path, ".html", replace=True) as part:
        part.write_text(page, encoding="utf-8")
    return path


def write_report_or_warn(folder: str | Path) -> None:
    """As `write_report`; what goes wrong is a warning, for the work before it is done."""
    try:
        write_report(folder)
    except Exception as error:
        logging.warning(
            "The report could not be written: %s `mim report %s` tries again.", error, folder
        )


def _is_report(path):
    try:
        with open_file(path) as file:
            return MARK in file.read(1000).decode("utf-8", "replace")
    except MimError:
        return False
