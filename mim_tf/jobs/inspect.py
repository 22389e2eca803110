"""What is printed about weights and data."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from mim_tf.data.files.recordings import frame_sizes
from mim_tf.data.source import SequenceSource
from mim_tf.inspection.survey import count_frames
from mim_tf.weights import load_model


def describe_weights(path: str | Path, known: dict) -> str:
    """Configuration, and name, shape, mean and deviation of every weight; loads them all.

    Args:
        path: weights of any kind.
        known: fields of `ModelConfig` that the weights do not tell.

    Raises:
        MimError: for weights that are damaged, not finite or not known well enough to load.
    """
    model = load_model(path, **known)
    settings = [f"  {name}: {value}" for name, value in vars(model.config).items()]
    rows = [["weight", "shape", "mean", "deviation"]]
    for weight in model.trainable_variables:
        values = np.asarray(weight)
        shape = " x ".join(map(str, values.shape))
        rows.append([weight.path, shape, f"{values.mean():.4g}", f"{values.std():.4g}"])
    return "\n".join(
        [
            f"{path}: weights of {model.config.model_name}, {model.count_params():,} parameters",
            *settings,
            *_table(rows),
            "Sound: all weights are there, fit the configuration and are finite.",
        ]
    )


def describe_data(name: str, source: SequenceSource, found: dict) -> str:
    """What `survey` found in a source, and the source's own record.

    Args:
        name: of the split.
        source: the data.
        found: the result of `survey`.
    """
    rows = summary(source, found).items()
    return "\n".join(
        [f"{name}: {size_of(found)}", *(f"  {label}: {value}" for label, value in rows)]
    )


def soundness(sources: Iterable[SequenceSource]) -> str:
    """A sentence on values that `survey` found nothing wrong with, and on frames it did not see."""
    sources = list(sources)
    in_frames = all(not each.scale or each.scale.clipped for each in sources)
    values = f"{'in [0, 1]' if in_frames else 'finite'} or missing"
    frames, unread = count_frames(sources)
    if not unread:
        return f"Sound: every value was read and is {values}."
    return (
        f"Sound: every value of these sequences is {values}. {unread:,} of {frames:,} frames are "
        "in no sequence and were not read."
    )


def size_of(found: dict) -> str:
    """How many sequences there are, and their shape, of the result of `survey`."""
    length, height, width, channels = found["shape"]
    return (
        f"{found['sequences']} sequences of {length} frames, {height} x {width} x {channels} "
        "(height x width x channels)"
    )


def summary(source: SequenceSource, found: dict) -> dict[str, str]:
    """Label -> value of all else; arguments as for `describe_data`."""
    rows = {
        key: ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        for key, value in source.describe().items()
        if key not in ("sequences", "shape", "recordings", "scale")
    }
    scale = source.scale
    in_frames = not scale or scale.clipped
    unit = "in [0, 1]" if in_frames else "in their units"
    for statistic in ("min", "mean", "max"):
        values = found[statistic] if in_frames else _physical(found[statistic], scale)
        listed = ", ".join("-" if x is None else f"{x:.4f}" for x in values)
        rows[f"{statistic} by channel, {unit}"] = listed
    if scale and scale.is_uniform:
        rows["scale"] = f"0 is {scale.low:g} {scale.unit}, 1 is {scale.high:g} {scale.unit}"
    for converted in source.converted:
        low, high = converted.to_physical(np.array([0, 1]))
        rows[f"in {converted.unit}"] = f"from {low:.4g} to {high:.4g}"
    rows["missing values"] = f"{found['missing']:.2%}"
    rows["sequences in which nothing changes"] = str(found["still"])
    return rows


def _physical(values, scale):
    known = scale.to_physical(np.array([np.nan if x is None else x for x in values]))
    return [None if np.isnan(value) else float(value) for value in known]


def describe_sizes(recordings: list[Path]) -> str:
    """All frame sizes in a folder of videos or images, the most frequent first.

    Args:
        recordings: as from `list_recordings`.
    """
    sizes = frame_sizes(recordings).most_common()
    listed = ", ".join(f"{height} x {width} ({count})" for (height, width), count in sizes)
    return f"frame sizes, height x width (number of files): {listed}"


def _table(rows):
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
