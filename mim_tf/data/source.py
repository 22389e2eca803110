"""Sources of frame sequences: what every data set is once it is opened."""

import abc
from collections.abc import Sequence

import numpy as np

from mim_tf.values.grid import FrameGrid
from mim_tf.values.scale import ConvertedScale, LinearScale

Indices = Sequence[int] | np.ndarray


class SequenceSource(abc.ABC):
    """Sequences by index; needs NumPy only.

    Attributes:
        shape: (T, H, W, C) of every sequence.
        size: number of sequences, or None if endless.
        scale: physical values of the frames, None where they have none.
        converted: further physical values, such as rain rates; errors are scored in them too.
        thresholds: physical values for the scores of events; none by default.
        threshold_scale: scale of the thresholds, where it is not `scale`.
        names: of the channels, where they have names.
        units: of the channels, where they have units.
        latitude: degrees north of each row `[H]`, by which scores are weighted; None where rows
            have none.
        climatology: `[H, W, C]` on the scale of frames, from which anomalies are counted; None:
            the mean of the frames.
        frame_step: time from a frame to the next, such as "6 hours"; empty if unknown.
        frame_grid: coordinates of the rows and columns; None where there are none.
        has_missing: whether values of `sequences` can be missing, which are NaN.
    """

    shape: tuple[int, int, int, int]
    size: int | None
    scale: LinearScale | None = None
    converted: tuple[ConvertedScale, ...] = ()
    thresholds: tuple[float, ...] = ()
    threshold_scale: ConvertedScale | None = None
    names: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    latitude: np.ndarray | None = None
    climatology: np.ndarray | None = None
    frame_step: str = ""
    frame_grid: FrameGrid | None = None
    has_missing: bool = False

    @abc.abstractmethod
    def sequences(self, indices: Indices) -> np.ndarray:
        """Return sequences as `[len(indices), T, H, W, C]`, float32.

        Values are in [0, 1] unless the scale says otherwise, and NaN where missing. The same index
        gives the same sequence at any time and in any batch.
        """

    def groups(self, indices: Indices) -> np.ndarray:
        """Return an integer for each of `sequences(indices)`, equal where they are not independent.

        By default every sequence is independent. Windows of one recording are not.
        """
        return np.asarray(indices, np.int64)

    def describe(self) -> dict:
        """Return what a run records about its data, as JSON types; at least these three."""
        record = {
            "source": type(self).__name__,
            "sequences": self.size,
            "shape": list(self.shape),
        }
        return record | ({"scale": self.scale.as_json()} if self.scale else {})


class WrappedSource(SequenceSource):
    """A source made of another one, with its attributes; subclasses change what differs."""

    def __init__(self, source: SequenceSource):
        self.source = source
        for name in SequenceSource.__annotations__:
            setattr(self, name, getattr(source, name))

    def sequences(self, indices: Indices) -> np.ndarray:
        return self.source.sequences(indices)

    def groups(self, indices: Indices) -> np.ndarray:
        return self.source.groups(indices)

    def describe(self) -> dict:
        return self.source.describe()


def filled(frames: np.ndarray) -> np.ndarray:
    """Return `frames` as networks take them, with 0 where values are missing (NaN)."""
    return np.where(np.isnan(frames), np.float32(0), frames)


def describe_splits(sources: dict[str, SequenceSource]) -> str:
    """Return a line for each split: number of sequences, shape and origin."""
    return "\n".join(f"{split}: {_describe(source)}" for split, source in sources.items())


def _describe(source):
    record = source.describe()
    length, height, width, channels = source.shape
    count = "endless" if source.size is None else f"{source.size:,}"
    origin = record.get("source", type(source).__name__)
    if record.get("paths"):
        origin += f" {', '.join(record['paths'])}"
    elif record.get("recordings"):
        first, *others = record["recordings"]
        origin += f" {first}" + (f" and {len(others)} more" if others else "")
    if "selected_from" in record:
        origin += f" (of its {record['selected_from']:,} sequences)"
    return (
        f"{count} sequences of {length} frames, {height} x {width} x {channels} "
        f"(height x width x channels), {origin}"
    )
