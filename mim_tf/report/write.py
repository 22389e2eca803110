"""The page of a data set: what it holds, how its values are spread, and some of its sequences."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from absl import logging

from mim_tf.data.batches.order import spread
from mim_tf.data.source import SequenceSource, filled
from mim_tf.errors import MimError
from mim_tf.evaluation.errors import to_uint8
from mim_tf.inspection.survey import size_of, soundness, summary
from mim_tf.report.charts import Chart, Field, field_of, histogram_chart, sprite, visible
from mim_tf.report.pages import command_line, mark, render, render_comparison, render_page
from mim_tf.report.players import BUDGET, Pane, Player, field_bar, within_budget
from mim_tf.report.read import read_material
from mim_tf.storage.paths import check_free, open_file, written_whole

FIRST = 4


def render_data(
    path: str | Path,
    kind: str,
    sources: dict[str, SequenceSource],
    found: dict[str, dict],
    sizes: str = "",
) -> str:
    """The page of all that is at `path`.

    Args:
        path: of the data.
        kind: its data set, as from `recognise`.
        sources: name of a split -> its sequences.
        found: name of a split -> what `survey` found in it, histograms included.
        sizes: a line about the sizes of files, or nothing.
    """
    parts = [
        _part(name, source, found[name], BUDGET // len(sources)) for name, source in sources.items()
    ]
    return render_page(
        "data",
        title=f"{Path(path).resolve().name}: data",
        path=path,
        kind_of_data=kind,
        soundness=soundness(sources.values()),
        sizes=sizes[:1].upper() + sizes[1:],
        parts=parts,
        command=command_line(sys.argv),
    )


def _part(name, source, found, budget):
    channels = _channel_names(source)
    return {
        "name": name,
        "size": size_of(found),
        "summary": summary(source, found),
        "channels": channels,
        "histogram": _histogram(source, found, channels),
        "players": players(source, found["sequences"], budget),
    }


def _channel_names(source: SequenceSource) -> list[str]:
    """What the lines of the histogram are called."""
    names = source.names or (source.scale.names if source.scale else ())
    if names:
        return list(names)
    count = source.shape[-1]
    if count == 1:
        return ["values"]
    return ["red", "green", "blue"] if count == 3 else [f"channel {i + 1}" for i in range(count)]


def _histogram(source, found, channels) -> Chart:
    low, high, unit = 0.0, 1.0, "value"
    if len({str(field_of(source.describe(), i)) for i in range(len(channels))}) > 1:
        unit = "0 is the lowest value of a channel, 1 its highest"
    elif source.scale:
        field = field_of(source.describe())
        low, high, unit = field.low, field.high, field.unit
    counts = dict(zip(channels, found["histogram"], strict=True))
    return histogram_chart("share of the values, logarithmic", unit, counts, low, high)


def players(source: SequenceSource, size: int, budget: int) -> list[Player]:
    """The first four sequences, the middle and the last.

    Args:
        source: the data.
        size: number of its sequences.
        budget: characters of all pictures.
    """
    indices = sorted({*range(min(FIRST, size)), *spread(size, 3)})
    frames = source.sequences(indices)
    missing = np.isnan(frames)
    frames = filled(frames)
    frames = to_uint8(source.scale.shown(frames) if source.scale else frames)
    if source.has_missing:
        frames = np.ma.masked_array(frames, missing)
    views = _views(source)

    def draw(reduction):
        return [_player(index, frames[i], views, reduction) for i, index in enumerate(indices)]

    return within_budget(draw, frames.shape[1], frames.shape[3], budget)


def _views(source) -> dict[str, tuple[slice, Field]]:
    """Name -> channels and field of each picture of a frame."""
    data, channels = source.describe(), source.shape[-1]
    if channels == 1 or (channels == 3 and not source.scale):
        return {"frames": (slice(None), field_of(data))}
    names = enumerate(_channel_names(source))
    return {name: (slice(i, i + 1), field_of(data, i)) for i, name in names}


def _player(index, frames, views, reduction):
    panes = []
    for name, (channels, field) in views.items():
        colors = visible(frames[..., channels], field)
        panes.append(Pane(name, sprite(colors, reduction), len(frames), field_bar(field)))
    return Player(f"Sequence {index + 1}", "", panes, len(frames), None, frames.shape[1:3])


# MERGED: Pages, written all or nothing.


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
