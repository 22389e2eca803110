"""A sequence as a figure for papers: truth, each model and its error, frame by frame."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from mim_tf.errors import MimError
from mim_tf.evaluation.compare import compare
from mim_tf.evaluation.stored import Evaluation, find_evaluation, read_evaluation
from mim_tf.report.charts import (
    Field,
    difference,
    difference_limit,
    field_of,
    shown_channels,
    visible,
)
from mim_tf.report.read import read_samples
from mim_tf.storage.paths import written_whole

FORMATS = (".pdf", ".png")
DPI = 300
WIDTH = 3.4
"""Inches: one column of a paper."""

FONT_SIZE = 7
CONTEXT_SHOWN = 2
MOST_LEAD_TIMES = 7
ERROR_MAP = matplotlib.colormaps["RdBu_r"].with_extremes(bad="0.5")
"""White where there is no error, as paper is; grey where the truth is missing."""


@dataclasses.dataclass(frozen=True)
class Strip:
    """A sequence and its forecasts.

    Attributes:
        truth: `[T, H, W, C]`, uint8, masked where a value is missing.
        forecasts: name -> `[horizon, H, W, C]`, uint8.
        field: what the levels stand for.
    """

    truth: np.ndarray
    forecasts: dict[str, np.ndarray]
    field: Field


def write_film_strip(
    folders: Sequence[str | Path],
    output: str | Path,
    sequence: str = "1",
    names: Sequence[str] = (),
) -> None:
    """Draws a sequence that the evaluations kept, one column of a paper wide.

    Args:
        folders: of runs or evaluations on the same sequences.
        output: the PDF or PNG file to make.
        sequence: its number from 1, of the first four; or best, median or worst, as the first
            evaluation has it.
        names: of the models in the figure; by default of the folders.

    Raises:
        MimError: for evaluations that `compare` refuses, a sequence that one did not keep, or an
            output that exists or has another format.
    """
    output = Path(output)
    if output.suffix.lower() not in FORMATS:
        raise MimError(f"--output must end in {' or '.join(FORMATS)}, received {output}.")
    figure = draw(read_strip(folders, sequence, names))
    with written_whole(output, output.suffix.lower(), other="--output") as part:
        figure.savefig(part, dpi=DPI)


def read_strip(folders: Sequence[str | Path], sequence: str, names: Sequence[str]) -> Strip:
    """The sequence in each evaluation; arguments and errors as in `write_film_strip`."""
    if names and len(names) != len(folders):
        raise MimError(f"Expected {len(folders)} names, one for each model, received {len(names)}.")
    if len(folders) > 1:
        evaluations = compare(folders, names).evaluations
    else:
        evaluations = [read_evaluation(folders[0], *names or ["prediction"])]
    samples = [read_samples(find_evaluation(folder)) for folder in folders]
    return make_strip(evaluations, samples, _index(samples, sequence))


def make_strip(
    evaluations: Sequence[Evaluation], samples: Sequence[dict[str, np.ndarray]], index: int
) -> Strip:
    """Sequence `index`, from 0, of evaluations of one test set, from the arrays of `read_samples`.

    All have to have kept it.
    """
    positions = [part["index"].tolist().index(index) for part in samples]
    field = field_of(evaluations[0].scores["data"])
    return Strip(
        shown_channels(samples[0]["truth"][positions[0]], field),
        {
            each.name: shown_channels(part["forecast"][position], field)
            for each, part, position in zip(evaluations, samples, positions, strict=True)
        },
        field,
    )


def _index(samples, sequence):
    first = samples[0]
    kept = [
        str(kind) if kind != "first" else str(index + 1)
        for kind, index in zip(first["kind"], first["index"], strict=True)
    ]
    everywhere = set.intersection(*(set(part["index"].tolist()) for part in samples))
    shared = [name for name, index in zip(kept, first["index"], strict=True) if index in everywhere]
    if sequence not in shared:
        raise MimError(f"--sequence must be one of {', '.join(shared)}; received {sequence!r}.")
    return int(first["index"][kept.index(sequence)])


def draw(strip: Strip) -> Figure:
    """The figure: columns are frames, the last of the context and some of the lead times."""
    first_forecast, *_ = strip.forecasts.values()
    horizon = len(first_forecast)
    context = len(strip.truth) - horizon
    shown = min(CONTEXT_SHOWN, context)
    stride = -(-horizon // MOST_LEAD_TIMES)
    columns = [*range(1 - shown, 1), *reversed(range(horizon, 0, -stride))]
    future = strip.truth[context:]
    limit = max(difference_limit(future, each) for each in strip.forecasts.values())

    rows = 1 + 2 * len(strip.forecasts)
    height, width = strip.truth.shape[1:3]
    cell = (WIDTH - 0.95) / len(columns)
    size = (WIDTH, rows * cell * height / width + 0.4)
    with matplotlib.rc_context({"font.size": FONT_SIZE, "pdf.fonttype": 42}):
        layout = ConstrainedLayoutEngine(w_pad=0.01, h_pad=0.01, wspace=0, hspace=0)
        figure = Figure(figsize=size, layout=layout)
        grid = figure.subplots(rows, len(columns), squeeze=False)
        _row(
            grid[0], "truth", columns, lambda t: visible(strip.truth[context + t - 1], strip.field)
        )
        for number, (name, forecast) in enumerate(strip.forecasts.items()):
            above, below = grid[1 + 2 * number : 3 + 2 * number]
            _row(above, name, columns, lambda t, f=forecast: visible(f[t - 1], strip.field), 1)
            errors = difference(future, forecast) / limit
            _row(below, "error", columns, lambda t, e=errors: ERROR_MAP((e[t - 1] + 1) / 2), 1)
        for axes, time in zip(grid[-1], columns, strict=True):
            axes.set_xlabel(f"{time:+d}".replace("+0", "0").replace("-", "\N{MINUS SIGN}"))
        figure.supxlabel("lead time in frames (0: last frame of the context)", fontsize=FONT_SIZE)
        _bars(figure, grid, strip.field, limit)
    return figure


def _row(row, label, columns, frame_at, first=-np.inf):
    """Draws frames from time `first` on; before, the row is empty."""
    height, width = frame_at(columns[-1]).shape[:2]
    for axes, time in zip(row, columns, strict=True):
        axes.set(xticks=[], yticks=[], box_aspect=height / width)
        axes.set_frame_on(time >= first)
        if time >= first:
            axes.imshow(frame_at(time), interpolation="nearest")
        for spine in axes.spines.values():
            spine.set(linewidth=0.4, color="0.5")
    row[0].set_ylabel(label, rotation=0, ha="right", va="center")


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
        bar.set_label(label, fontsize=FONT_SIZE - 1)
