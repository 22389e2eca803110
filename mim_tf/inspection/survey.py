"""A look at every value of the sequences of a data set."""

import math
from collections.abc import Iterable

import numpy as np
from tqdm import tqdm

from mim_tf.data.batches.order import evaluation_batches
from mim_tf.data.scale_fit import ScaledSource
from mim_tf.data.source import SequenceSource, filled
from mim_tf.data.windows import WindowSource

BATCH = 16


def survey(source: SequenceSource, bins: int = 0) -> dict:
    """Reads every sequence of a finite source.

    Args:
        source: the data.
        bins: of the histograms; none are counted for 0, which is faster.

    Returns:
        `sequences`, `shape` (T, H, W, C), `min`, `mean` and `max` of each channel over the values
        that are not missing (None where all are), `missing`, the share that is, and `still`, the
        number of sequences whose frames are all the same; and `histogram`, how many values of
        each channel are in each bin from black to white, as pictures show them.

    Raises:
        MimError: for the first sequence that cannot be read.
    """
    channels, axes = source.shape[-1], (0, 1, 2, 3)
    low, high = np.full(channels, np.inf), np.full(channels, -np.inf)
    total, counted, still = np.zeros(channels), np.zeros(channels), 0
    histogram = np.zeros((channels, bins), np.int64)
    with tqdm(total=source.size, desc="reading", unit="seq", leave=False) as progress:
        for indices in evaluation_batches(source.size, BATCH):
            frames = source.sequences(indices)
            present = ~np.isnan(frames) if source.has_missing else np.True_
            frames = filled(frames)
            low = np.minimum(low, frames.min(axes, where=present, initial=np.inf))
            high = np.maximum(high, frames.max(axes, where=present, initial=-np.inf))
            total += frames.sum(axes, where=present, dtype=np.float64)
            counted += np.broadcast_to(present, frames.shape).sum(axes)
            if bins:
                shown = source.scale.shown(frames) if source.scale else frames
                histogram += _histogram(shown, present, bins)
            still += int((frames == frames[:, :1]).all(axis=(1, 2, 3, 4)).sum())
            progress.update(len(indices))
    with np.errstate(invalid="ignore"):
        mean = total / counted
    return {
        "sequences": source.size,
        "shape": list(source.shape),
        "min": _numbers(low),
        "mean": _numbers(mean),
        "max": _numbers(high),
        "missing": float(1 - counted.sum() / (source.size * math.prod(source.shape))),
        "still": still,
        "histogram": histogram.tolist(),
    }


def _histogram(frames, present, bins):
    """How many of the values that are present are in each bin, `[C, bins]`."""
    channels = frames.shape[-1]
    places = np.minimum(frames * bins, bins - 1).astype(np.intp) + np.arange(channels) * bins
    places = places[np.broadcast_to(present, frames.shape)]
    return np.bincount(places, minlength=channels * bins).reshape(channels, bins)


def _numbers(values):
    return [float(value) if np.isfinite(value) else None for value in values]


def count_frames(sources: Iterable[SequenceSource]) -> tuple[int, int]:
    """Frames of all recordings, and how many of them are in no sequence of any source."""
    used: dict[str, np.ndarray] = {}
    for source in sources:
        windows = source.source if isinstance(source, ScaledSource) else source
        if isinstance(windows, WindowSource):
            for recording, positions in windows.frames_in_windows():
                used.setdefault(recording.name, np.zeros(recording.length, bool))[positions] = True
    return sum(map(len, used.values())), sum(int((~each).sum()) for each in used.values())


def spread(size: int, count: int) -> list[int]:
    """Up to `count` different indices below `size`, evenly spaced from first to last."""
    return np.linspace(0, size - 1, min(count, size)).round().astype(int).tolist()
