"""A sequence as a figure for papers: truth, each network and its error, frame by frame."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from mim_tf.errors import MimError
from mim_tf.evaluation.compare import compare
from mim_tf.evaluation.stored import Samples, read_samples, shared_indices
from mim_tf.report.players import Field, difference, difference_limit, field_of, visible
from mim_tf.storage.paths import check_free, written_whole
from mim_tf.values.text import literal

FORMATS = (".pdf", ".png")
DPI = 300
WIDTH = 3.4
"""Inches: one column of a paper."""

FONT_SIZE = 7
CONTEXT_SHOWN = 2
MOST_LEAD_TIMES = 7
ERROR_MAP = matplotlib.colormaps["RdBu_r"].with_extremes(bad="0.5")
"""White like paper if there is no error, grey if the truth is missing."""


def write_film_strip(
    folders: Sequence[str | Path],
    output: str | Path,
    sequence: str = "1",
    names: Sequence[str] = (),
) -> None:
    """Draw a sequence that the evaluations kept, one column of a paper wide, as PDF or PNG.

    Args:
        folders: folders of runs or evaluations on the same sequences.
        output: file to make.
        sequence: number of the sequence, one of the first four, from 1; or best, median or worst
            of the first evaluation.
        names: names of the networks in the figure; by default the folders.

    Raises `MimError` for evaluations that `compare` rejects, a sequence that one did not keep, or
    an output that exists or has another format.
    """
    output = Path(output)
    if output.suffix.lower() not in FORMATS:
        raise MimError(f"Expected an --output in {' or '.join(FORMATS)}, got {output}.")
    check_free(output, "--output")
    known = ["prediction"] if len(folders) == 1 else []
    evaluations = compare(folders, names or known).evaluations
    samples = {each.name: read_samples(each.folder) for each in evaluations}
    field = field_of(evaluations[0].scores["data"])
    figure = draw(samples, field, _index([*samples.values()], sequence))
    with written_whole(output, output.suffix.lower(), other="--output") as part:
        figure.savefig(part, dpi=DPI)


def _index(samples, sequence):
    """Return the index of a sequence by its number or its kind in the first samples."""
    shared, named = shared_indices(samples), {}
    for kind, index in zip(samples[0].kind, samples[0].index, strict=True):
        if index in shared:
            named[str(index + 1) if kind == "first" else str(kind)] = int(index)
    if sequence not in named:
        raise MimError(f"Expected a --sequence of {', '.join(named)}, got {sequence!r}.")
    return named[sequence]


def draw(samples: Mapping[str, Samples], field: Field, index: int) -> Figure:
    """Return a figure of one sequence, a row for the truth and two for each network.

    `samples` are by name of a network, on the same sequences; all have the one of `index`.
    """
    pairs = {name: each.of(index) for name, each in samples.items()}
    truth, first_forecast = next(iter(pairs.values()))
    horizon = len(first_forecast)
    context = len(truth) - horizon
    stride = -(-horizon // MOST_LEAD_TIMES)
    # Lead times, counted from the last frame of the context (0), which always has the last one.
    columns = [*range(1 - min(CONTEXT_SHOWN, context), 1), *range(horizon, 0, -stride)[::-1]]
    future = truth[context:]
    limit = max(difference_limit(future, forecast, field) for _, forecast in pairs.values())

    shown = visible(truth, field)
    rows = [("truth", [shown[context + time - 1] for time in columns])]
    for name, (_, forecast) in pairs.items():
        errors = ERROR_MAP((difference(future, forecast, field) / limit + 1) / 2)
        for label, frames in ((name, visible(forecast, field)), ("error", errors)):
            rows.append((label, [frames[time - 1] if time > 0 else None for time in columns]))
    cell = (WIDTH - 0.95) / len(columns)
    height, width = truth.shape[1:3]
    size = (WIDTH, len(rows) * cell * height / width + 0.4)
    with matplotlib.rc_context({"font.size": FONT_SIZE, "pdf.fonttype": 42}):
        layout = ConstrainedLayoutEngine(w_pad=0.01, h_pad=0.01, wspace=0, hspace=0)
        figure = Figure(figsize=size, layout=layout)
        grid = figure.subplots(len(rows), len(columns), squeeze=False)
        for axes, row in zip(grid, rows, strict=True):
            _row(axes, *row)
        for axes, time in zip(grid[-1], columns, strict=True):
            axes.set_xlabel(f"{time:+d}".replace("+0", "0").replace("-", "\N{MINUS SIGN}"))
        figure.supxlabel("lead time in frames (0: last frame of the context)", fontsize=FONT_SIZE)
        _bars(figure, grid, field, limit)
    return figure


def _row(row, label, frames):
    """Draw frames; None leaves a cell empty."""
    height, width = frames[-1].shape[:2]
    for axes, frame in zip(row, frames, strict=True):
        axes.set(xticks=[], yticks=[], box_aspect=height / width)
        axes.set_frame_on(frame is not None)
        if frame is not None:
            axes.imshow(frame, interpolation="nearest")
        for spine in axes.spines.values():
            spine.set(linewidth=0.4, color="0.5")
    row[0].set_ylabel(literal(label), rotation=0, ha="right", va="center")


def _bars(figure, grid, field, limit):
    errors = ScalarMappable(Normalize(-limit * field.size, limit * field.size), ERROR_MAP)
    bars = [(grid[2::2], errors, f"error in {field.unit}" if field.unit else "")]
    if field.unit:
        values = ScalarMappable(Normalize(field.low, field.high), field.colors)
        bars.append((grid[:2], values, field.unit))
    for rows, mappable, label in bars:
        bar = figure.colorbar(mappable, ax=list(rows.flat), aspect=12, pad=0.01)
        bar.outline.set_linewidth(0.4)
        bar.ax.tick_params(width=0.4, length=2, labelsize=FONT_SIZE - 1)
        bar.set_label(literal(label), fontsize=FONT_SIZE - 1)
