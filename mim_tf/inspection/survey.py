"""Read every value of a data set, and put what was found into words."""

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mim_tf.data.batches.order import evaluation_batches
from mim_tf.data.files.recordings import frame_sizes
from mim_tf.data.scale_fit import ScaledSource, ValueStatistics, marker_in
from mim_tf.data.source import SequenceSource, WindowSource, filled, size_in_words

_BATCH = 16
_ONE_LEVEL = 1.01 / 255
"""Channels differ by so much where a video codec rounds grey."""


def survey(source: SequenceSource, bins: int = 0) -> dict:
    """Read every sequence of a finite source; raise `MimError` if one cannot be read.

    Returns `sequences`; `shape` (T, H, W, C); `min`, `mean` and `max` of each channel without
    missing values (None where all are missing); `missing`, their share; `still`, the number of
    sequences whose frames are all the same; `grey`, whether all are RGB, without a scale, whose
    three channels are equal; and `histogram`, how many values of each channel are in each of the
    `bins` from black to white, as pictures show them. Without bins it is faster.
    """
    size, channels = source.size or 0, source.shape[-1]
    values, still, is_grey = ValueStatistics(channels), 0, channels == 3 and not source.scale
    histogram = np.zeros((channels, bins), np.int64)
    with tqdm(total=size, desc="reading", unit="seq", leave=False) as progress:
        for indices in evaluation_batches(size, _BATCH):
            frames = source.sequences(indices)
            values.update(frames)
            known = ~np.isnan(frames)
            frames = filled(frames)
            is_grey = is_grey and bool((np.ptp(frames, axis=-1) <= _ONE_LEVEL).all())
            still += int((frames == frames[:, :1]).all(axis=(1, 2, 3, 4)).sum())
            if bins:
                shown = source.scale.shown(frames) if source.scale else frames
                # One count for all channels: each has its own range of bin numbers.
                places = np.minimum(shown * bins, bins - 1).astype(np.intp)
                places += np.arange(channels) * bins
                histogram += np.bincount(places[known], minlength=histogram.size).reshape(-1, bins)
            progress.update(len(indices))
    return {
        "sequences": size,
        "shape": list(source.shape),
        "min": _numbers(values.low),
        "mean": _numbers(np.where(values.count, values.mean, np.nan)),
        "max": _numbers(values.high),
        "missing": float(1 - values.count.sum() / (size * math.prod(source.shape))),
        "still": still,
        "grey": is_grey,
        "histogram": histogram.tolist(),
    }


def _numbers(values):
    return [float(value) if np.isfinite(value) else None for value in values]


def count_frames(sources: Iterable[SequenceSource]) -> tuple[int, int]:
    """Return the frames of all recordings, and how many are in no sequence of any source."""
    used: dict[str, np.ndarray] = {}
    for source in sources:
        windows = source.source if isinstance(source, ScaledSource) else source
        if isinstance(windows, WindowSource):
            for recording, positions in windows.frames_in_windows():
                used.setdefault(recording.name, np.zeros(recording.length, bool))[positions] = True
    return sum(map(len, used.values())), sum(int((~each).sum()) for each in used.values())


def soundness(sources: dict[str, SequenceSource], found: dict[str, dict]) -> str:
    """Return a sentence on values that `survey` accepted, and on frames it did not read.

    `found` are the results of `survey`, by split as `sources`.
    """
    for name, source in sources.items():
        scale = source.scale
        if scale is None or scale.clipped:
            continue
        ends = (np.array(found[name][end], float) for end in ("min", "max"))
        for low, high in zip(*map(scale.to_physical, ends), strict=True):
            if (marker := marker_in(low, high)) is not None:
                return (
                    f"Check: the value {marker:g} often marks missing values. If it does, declare "
                    "it (_FillValue, missing_value or valid_range of a file) or replace it by NaN."
                )
    opened = list(sources.values())
    in_frames = all(not each.scale or each.scale.clipped for each in opened)
    tops = [value for each in found.values() for value in each["max"] if value]
    if in_frames and tops and max(tops) < _ONE_LEVEL:
        return (
            f"Check: no value is above {max(tops):.2g} of 1. If levels 0..255 were divided by 255 "
            "twice, or masks saved as 0 and 1 in uint8, multiply them by 255."
        )
    values = f"{'in [0, 1]' if in_frames else 'finite'} or missing"
    frames, unread = count_frames(opened)
    if not unread:
        return f"Sound: every value was read and is {values}."
    return (
        f"Sound: every value of these sequences is {values}. {unread:,} of {frames:,} frames are "
        "in no sequence and were not read."
    )


def describe_data(name: str, source: SequenceSource, found: dict) -> str:
    """Return what `survey` found in the split `name`, a line for each row of `summary`."""
    rows = summary(source, found).items()
    return "\n".join(
        [f"{name}: {size_of(found)}", *(f"  {label}: {value}" for label, value in rows)]
    )


def size_of(found: dict) -> str:
    """Return the number of sequences and their shape, from the result of `survey`."""
    return size_in_words(found["sequences"], found["shape"])


def summary(source: SequenceSource, found: dict) -> dict[str, str]:
    """Return label -> value: the source's own record, and what `survey` found in it."""
    rows = {
        key: ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        for key, value in source.describe().items()
        if key not in ("sequences", "shape", "recordings", "scale")
    }
    scale = source.scale
    for statistic in ("min", "mean", "max"):
        values, unit = np.array(found[statistic], float), "in [0, 1]"  # None becomes NaN
        if scale and not scale.clipped:
            values, unit = scale.to_physical(values), "in their units"
        rows[f"{statistic} by channel, {unit}"] = ", ".join(
            "-" if np.isnan(value) else f"{value:.4g}" for value in values
        )
    if scale and scale.is_uniform:
        rows["scale"] = scale.words
    for converted in source.converted:
        low, high = converted.to_physical(np.array([0, 1]))
        rows[f"in {converted.unit}"] = f"from {low:.4g} to {high:.4g}"
    if found["grey"]:
        rows["channels"] = "equal. Give --img_channel=1, which makes the network smaller"
    rows["missing values"] = f"{found['missing']:.2%}"
    rows["sequences in which nothing changes"] = str(found["still"])
    return rows


def describe_sizes(recordings: list[Path]) -> str:
    """Return all frame sizes in a folder of videos or images, the most frequent first."""
    sizes = frame_sizes(recordings).most_common()
    listed = ", ".join(f"{height} x {width} ({count})" for (height, width), count in sizes)
    return f"frame sizes, height x width (number of files): {listed}"
