"""Page of a data set: what it holds, how its values are distributed, and some sequences."""

import sys
from pathlib import Path

import numpy as np

from mim_tf.data.batches.order import spread
from mim_tf.data.source import SequenceSource, filled
from mim_tf.evaluation.errors import to_uint8
from mim_tf.inspection.survey import size_of, soundness, summary
from mim_tf.report.charts import Chart, histogram_chart
from mim_tf.report.pages import check_page_path, command_line, render_page, write_page
from mim_tf.report.players import (
    BUDGET,
    Pane,
    Player,
    field_bar,
    field_of,
    sprite,
    visible,
    within_budget,
)

FIRST = 4


def write_data_page(
    output: str | Path,
    path: str | Path,
    kind: str,
    sources: dict[str, SequenceSource],
    found: dict[str, dict],
    sizes: str = "",
) -> None:
    """Write the page of the data at `path`.

    Args:
        output: file to make, in .html.
        path: path of the data.
        kind: name of the data set, as from `recognise`.
        sources: name of a split -> its sequences.
        found: name of a split -> result of `survey`, with histograms.
        sizes: a line about the sizes of files, or nothing.

    Raises:
        MimError: if `output` exists or does not end in .html, or data cannot be read.
    """
    check_page_path(output)
    parts = [
        {
            "name": name,
            "size": size_of(found[name]),
            "summary": summary(source, found[name]),
            "channels": _channel_names(source),
            "histogram": _histogram(source, found[name]["histogram"]),
            "players": players(source, found[name]["sequences"], BUDGET // len(sources)),
        }
        for name, source in sources.items()
    ]
    page = render_page(
        "data",
        title=f"{Path(path).resolve().name}: data",
        path=path,
        kind_of_data=kind,
        soundness=soundness(sources.values()),
        sizes=sizes[:1].upper() + sizes[1:],
        parts=parts,
        command=command_line(sys.argv),
    )
    write_page(output, page)


def players(source: SequenceSource, size: int, budget: int) -> list[Player]:
    """Return players of the first four sequences, the middle one and the last one.

    Args:
        source: data.
        size: number of its sequences.
        budget: characters of all pictures together.
    """
    indices = sorted({*range(min(FIRST, size)), *spread(size, 3)})
    values = source.sequences(indices)
    shown = source.scale.shown(filled(values)) if source.scale else filled(values)
    frames = np.ma.masked_array(to_uint8(shown), np.isnan(values))
    length, height, width = frames.shape[1:4]
    data, channels = source.describe(), source.shape[-1]
    views = {"frames": (slice(None), field_of(data))}
    if channels == 2 or channels > 3 or (channels == 3 and source.scale):  # not colours
        views = {
            name: (slice(number, number + 1), field_of(data, number))
            for number, name in enumerate(_channel_names(source))
        }

    def draw(index, sequence, reduction):
        panes = [
            Pane(name, sprite(visible(sequence[..., part], field), reduction), length, bar)
            for name, (part, field) in views.items()
            for bar in [field_bar(field)]
        ]
        return Player(f"Sequence {index + 1}", "", panes, length, None, (height, width))

    return within_budget(
        lambda reduction: [draw(*each, reduction) for each in zip(indices, frames, strict=True)],
        length,
        width,
        budget,
    )


def _channel_names(source):
    names = source.names or (source.scale.names if source.scale else ())
    count = source.shape[-1]
    known = {1: ["values"], 3: ["red", "green", "blue"]}
    return list(names) or known.get(count) or [f"channel {n + 1}" for n in range(count)]


def _histogram(source, counts) -> Chart:
    names, data = _channel_names(source), source.describe()
    fields = [field_of(data, number) for number in range(len(names))]
    low, high, unit = 0.0, 1.0, "value"
    if len(set(map(str, fields))) > 1:
        unit = "0 is the lowest value of a channel, 1 its highest"
    elif source.scale:
        low, high, unit = fields[0].low, fields[0].high, fields[0].unit
    series = dict(zip(names, counts, strict=True))
    return histogram_chart("share of the values, logarithmic", unit, series, low, high)
