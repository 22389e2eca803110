"""The page of a data set: what it holds, how its values are spread, and some of its sequences."""

import sys
from pathlib import Path

import numpy as np

from mim_tf.data.inspect.report import size_of, summary
from mim_tf.data.inspect.survey import spread
from mim_tf.data.source import SequenceSource
from mim_tf.evaluation.scores import to_uint8
from mim_tf.report.charts import Chart, histogram_chart
from mim_tf.report.colors import Field, field_of, visible
from mim_tf.report.page import command_line
from mim_tf.report.players import BUDGET, Pane, Player, field_bar, within_budget
from mim_tf.report.sprites import sprite
from mim_tf.report.template import render_page

FIRST = 4
MISSING = 128
"""Grey level of a value that is missing."""


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
        sizes=sizes,
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
    count = source.shape[-1]
    if count == 1:
        return ["values"]
    return ["red", "green", "blue"] if count == 3 else [f"channel {i + 1}" for i in range(count)]


def _histogram(source, found, channels) -> Chart:
    low, high, unit = 0.0, 1.0, "value"
    if source.scale:
        low, high, unit = source.scale.low, source.scale.high, source.scale.unit
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
    frames = to_uint8(source.sequences(indices))
    missing = source.missing(indices).any(axis=-1, keepdims=True) if source.has_missing else None
    field = field_of(source.describe())

    def draw(reduction):
        return [
            _player(index, frames[i], None if missing is None else missing[i], field, reduction)
            for i, index in enumerate(indices)
        ]

    return within_budget(draw, frames.shape[1], frames.shape[3], budget)


def _player(index, frames, missing, field: Field, reduction):
    shown = {"frames": frames}
    if frames.shape[-1] not in (1, 3):
        shown = {f"channel {i + 1}": frames[..., i : i + 1] for i in range(frames.shape[-1])}
    panes = []
    for name, part in shown.items():
        colors = visible(part, field)
        if missing is not None:
            colors = np.where(missing, np.uint8(MISSING), colors)
        panes.append(Pane(name, sprite(colors, reduction), len(frames), field_bar(field)))
    return Player(f"Sequence {index + 1}", "", panes, len(frames), None, frames.shape[1:3])
