"""Page of a data set: what it holds, how its values are distributed, and some sequences."""

import sys
from pathlib import Path

import numpy as np

from mim_tf.data.batches.order import spread
from mim_tf.data.source import SequenceSource, filled
from mim_tf.evaluation.errors import to_uint8
from mim_tf.evaluation.pictures import upright
from mim_tf.inspection.survey import size_of, soundness, summary
from mim_tf.report import players as pictures
from mim_tf.report.charts import Chart, histogram_chart
from mim_tf.report.pages import check_page_path, command_line, write_page
from mim_tf.values.scale import UNIT

FIRST = 4


def write_data_page(
    output: str | Path,
    path: str | Path,
    kind: str,
    sources: dict[str, SequenceSource],
    found: dict[str, dict],
    sizes: str = "",
) -> None:
    """Write the page of the data at `path`, which were read as data set `kind`.

    `sources` and `found` have by split the sequences and the result of `survey`, with histograms;
    `sizes` is a line about the sizes of files. Raises `MimError` if `output` exists or does not end
    in .html, or data cannot be read.
    """
    check_page_path(output)
    parts = [
        {
            "name": name,
            "size": size_of(found[name]),
            "summary": summary(source, found[name]),
            "channels": list(_fields(source)),
            "histogram": _histogram(source, found[name]["histogram"]),
            "players": players(source, found[name]["sequences"], pictures.BUDGET // len(sources)),
        }
        for name, source in sources.items()
    ]
    write_page(
        output,
        "data",
        title=f"{Path(path).resolve().name}: data",
        path=path,
        kind_of_data=kind,
        soundness=soundness(sources, found),
        sizes=sizes[:1].upper() + sizes[1:],
        parts=parts,
        command=command_line(sys.argv),
    )


def players(source: SequenceSource, size: int, budget: int) -> list[pictures.Player]:
    """Return players of the first four of `size` sequences, the middle one and the last one.

    All pictures together have at most `budget` characters.
    """
    indices = sorted({*range(min(FIRST, size)), *spread(size, 3)})
    values = upright(source.sequences(indices), source.south_first)
    shown = (source.scale or UNIT).shown(filled(values))
    frames = np.ma.masked_array(to_uint8(shown), np.isnan(values))
    _, length, height, width, channels = frames.shape
    fields = {"frames": pictures.field_of(source.describe())}
    if channels == 2 or channels > 3 or (channels == 3 and source.scale):  # not colours
        fields = _fields(source)

    def draw(index, sequence, reduction):
        parts, panes = np.split(sequence, len(fields), axis=-1), []
        for part, (name, field) in zip(parts, fields.items(), strict=True):
            picture = pictures.sprite(pictures.visible(part, field), reduction)
            panes.append(pictures.Pane(name, picture, length, pictures.field_bar(field)))
        return pictures.Player(f"Sequence {index + 1}", "", panes, length, None, (height, width))

    return pictures.within_budget(
        lambda reduction: [draw(*each, reduction) for each in zip(indices, frames, strict=True)],
        length * width,
        budget,
    )


def _fields(source):
    """Return the name of each channel with its field."""
    names, count = source.names or (source.scale or UNIT).names, source.shape[-1]
    known = {1: ["values"], 3: ["red", "green", "blue"]}
    names = names or known.get(count) or [f"channel {n + 1}" for n in range(count)]
    data = source.describe()
    return {name: pictures.field_of(data, number) for number, name in enumerate(names)}


def _histogram(source, counts) -> Chart:
    fields = _fields(source)
    first, *others = fields.values()
    low, high, unit = 0.0, 1.0, "value"
    if any(each[:3] != first[:3] for each in others):
        unit = "0 is the lowest value of a channel, 1 its highest"
    elif source.scale:
        low, high, unit = first.low, first.high, first.unit
    series = dict(zip(fields, counts, strict=True))
    return histogram_chart("share of the values, logarithmic", unit, series, low, high)
