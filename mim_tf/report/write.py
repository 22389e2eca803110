"""Pages, written all or nothing."""

import os
from collections.abc import Sequence
from pathlib import Path

from absl import logging

from mim_tf.data.source import SequenceSource
from mim_tf.errors import MimError
from mim_tf.given_path import open_file
from mim_tf.new_path import check_free, written_whole
from mim_tf.report.comparison import render_comparison
from mim_tf.report.data_page import render_data
from mim_tf.report.page import render
from mim_tf.report.read import read_material
from mim_tf.report.template import mark

NAME = "report.html"
PAGE_SUFFIXES = (".html", ".htm")


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


def write_comparison(
    folders: Sequence[str | Path], output: str | Path, score: str, names: Sequence[str] = ()
) -> str:
    """Writes the page of `render_comparison` and returns its first sentence.

    Raises:
        MimError: as that; or if `output` exists or does not end in .html.
    """
    check_page_path(output)
    page, sentence = render_comparison(folders, score, names)
    with written_whole(output, ".html", other="--output") as part:
        part.write_text(page, encoding="utf-8")
    return sentence


def write_data_page(
    output: str | Path,
    path: str | Path,
    kind: str,
    sources: dict[str, SequenceSource],
    found: dict[str, dict],
    sizes: str = "",
) -> None:
    """Writes the page of `render_data`; arguments as there.

    Raises:
        MimError: as that; or if `output` exists or does not end in .html.
    """
    check_page_path(output)
    page = render_data(path, kind, sources, found, sizes)
    with written_whole(output, ".html", other="--output") as part:
        part.write_text(page, encoding="utf-8")


def check_page_path(output: str | Path) -> None:
    """Raises `MimError` if a page cannot be made there: it exists, or is no .html."""
    if Path(output).suffix.lower() not in PAGE_SUFFIXES:
        raise MimError(f"--output must end in .html, received {output}.")
    check_free(output, "--output")


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
            return mark("report") in file.read(1000).decode("utf-8", "replace")
    except MimError:
        return False
