"""Sources of frame sequences: what every data set is once it is opened.

Windows of longer recordings, such as videos, radar events and days of traffic, are sources too.
"""

import abc
import functools
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from absl import logging

from mim_tf.errors import MimError
from mim_tf.values.grid import FrameGrid
from mim_tf.values.scale import ConvertedScale, LinearScale
from mim_tf.values.step import SAME, are_same_steps, step_from_words, step_in_words

Indices = Sequence[int] | np.ndarray

FEW_RECORDINGS = 5
"""Fewer recordings are divided into blocks of time."""

MOST_BLOCKS = 15

_OF_WEATHER = 60
"""Seconds between frames from which their errors are taken to last a day, as those of rain do."""


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
        south_first: whether the first row is the southernmost; pictures show it at the bottom.
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
    south_first: bool = False
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
        record = {"source": type(self).__name__, "sequences": self.size, "shape": list(self.shape)}
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


class TooShortError(MimError):
    """All recordings are shorter than a window."""


class Recording(abc.ABC):
    """Consecutive frames, of which windows are taken.

    Attributes:
        name: shown in messages and in the record of a run.
        length: number of frames.
        holes: positions of frames before which time is missing.
        step: seconds from a frame to the next; 0 if unknown, NaN if most steps may differ.
    """

    name: str
    length: int
    holes: tuple[int, ...] = ()
    step: float = 0.0

    @abc.abstractmethod
    def read(self, positions: Indices) -> np.ndarray:
        """Return frames as `[len(positions), H, W, C]`, float32; NaN where missing."""


class WindowSource(SequenceSource):
    """Windows of `total_length` frames, each in one recording; none crosses a hole in time.

    Args:
        recordings: of frames of one shape.
        frame_shape: (H, W, C).
        total_length: frames of a window.
        stride: frames between the starts of two windows.
        interval: frames from one frame of a window to the next.
        starts: (recording, first frame) of each window, integers `[N, 2]`; None: every `stride`.
        part: start and end of the part of each recording to take, as shares of its length.
        groups: group of each window, see `groups`; by default its recording or block of time.
        description: added to `describe`.
        attributes: of a `SequenceSource`, such as `scale`.

    Raises `TooShortError` if there is no window, and `MimError` if the part of a recording is too
    short for one or thresholds are outside the scale.
    """

    def __init__(
        self,
        recordings: Iterable[Recording],
        frame_shape: tuple[int, int, int],
        total_length: int,
        stride: int = 1,
        interval: int = 1,
        starts: Sequence[tuple[int, int]] | np.ndarray | None = None,
        part: tuple[float, float] = (0.0, 1.0),
        groups: np.ndarray | None = None,
        description: dict | None = None,
        **attributes: Any,
    ):
        vars(self).update(attributes)
        scale = self.threshold_scale or self.scale
        if self.thresholds and scale:
            scale.check_thresholds(self.thresholds)
        self.recordings = list(recordings)
        self.shape = (total_length, *frame_shape)
        self._offsets = np.arange(total_length) * interval
        span = self._offsets[-1] + 1
        every: list[tuple[int, int]] = []
        if starts is None:
            for number, recording in enumerate(self.recordings):
                stretches = _stretches(recording, part)
                longest = max(end - first for first, end in stretches)
                if longest < span and part != (0.0, 1.0):
                    raise MimError(
                        f"{recording.name}: expected at least {span} frames"
                        f"{_without_gap(recording)} in each part of its time, to train, validate "
                        f"and test on, got {longest}. Raise valid_fraction and test_fraction, "
                        "lower total_length, or add recordings."
                    )
                for first, end in stretches:
                    every += [(number, start) for start in range(first, end - span + 1, stride)]
        chosen = np.asarray(every if starts is None else starts, np.int64).reshape(-1, 2)
        for number, recording in enumerate(self.recordings):
            for hole in recording.holes:
                crosses = (chosen[:, 1] < hole) & (chosen[:, 1] + span > hole)
                chosen = chosen[~(crosses & (chosen[:, 0] == number))]
        self._starts = chosen
        if groups is not None:
            self._groups = groups
        self.size = len(self._starts)
        self._description = description or {}
        if not self.size:
            lengths = [end - first for r in self.recordings for first, end in _stretches(r)]
            raise TooShortError(
                f"Expected a recording of at least {span} frames{_without_gap(*self.recordings)} "
                f"(total_length {total_length}, frame_interval {interval}), got "
                f"{len(self.recordings)}, the longest of {max(lengths, default=0)} frames. Lower "
                "total_length or frame_interval, or add longer recordings."
            )
        self._used = np.unique(self._starts[:, 0])
        if starts is None and len(self._used) < len(self.recordings):
            short = next(r for n, r in enumerate(self.recordings) if n not in self._used)
            logging.warning(
                "%d of %d recordings are not used, such as %s: a window has %d frames%s.",
                *(len(self.recordings) - len(self._used), len(self.recordings), short.name, span),
                _without_gap(*self.recordings),
            )
        warn_of_pace(self.recordings)
        self.frame_step = self.frame_step or step_of(self.recordings, interval)

    def sequences(self, indices: Indices) -> np.ndarray:
        out = [recording.read(positions) for recording, positions in map(self.window, indices)]
        return np.stack(out) if out else np.empty((0, *self.shape), np.float32)

    def window(self, index: int) -> tuple[Recording, np.ndarray]:
        """Return the recording of a window, and the positions of its frames there."""
        number, start = self._starts[index].tolist()
        return self.recordings[number], start + self._offsets

    def groups(self, indices: Indices) -> np.ndarray:
        """Number the recordings of windows; if there are few recordings, number blocks of time."""
        return self._groups[np.asarray(indices, np.int64)]

    @functools.cached_property
    def _groups(self):
        used, number = np.unique(self._starts[:, 0], return_inverse=True)
        if len(used) >= FEW_RECORDINGS:
            return number
        firsts, interval = self._starts[:, 1], self._offsets[1] if len(self._offsets) > 1 else 1
        each = [firsts[number == n] for n in range(len(used))]
        low, extent = np.array([(starts.min(), np.ptp(starts) + 1) for starts in each]).T
        # Neighbouring blocks depend on each other at their border, because windows reach across it
        # and errors last. The longer the blocks, the less: three windows and a day at least.
        block = max(3 * (self._offsets[-1] + 1), extent.sum() // MOST_BLOCKS)
        step, unit = step_from_words(self.frame_step) if self.frame_step else (0, "")
        if unit == "seconds" and step >= _OF_WEATHER:
            day = int(-(-86_400 * interval // step))
            # A day or two give no interval in blocks of days, and a rough one in quarters.
            block = max(block, day if extent.sum() > 2 * day else day // 4)
        count = np.maximum(extent // block, 1)
        within = (firsts - low[number]) * count[number] // extent[number]
        return (np.cumsum(count) - count)[number] + within

    def frames_in_windows(self) -> Iterator[tuple[Recording, np.ndarray]]:
        """Yield each recording, and the sorted positions of its frames that are in any window."""
        numbers, starts = self._starts[np.argsort(self._starts[:, 0], kind="stable")].T
        ends = np.searchsorted(numbers, np.arange(len(self.recordings)), side="right")
        for recording, part in zip(self.recordings, np.split(starts, ends[:-1]), strict=True):
            yield recording, np.unique(part[:, None] + self._offsets)

    def describe(self) -> dict:
        gaps = sum(len(recording.holes) for recording in self.recordings)
        return super().describe() | {
            **self._description,
            **({"gaps_in_time": gaps} if gaps else {}),
            "recordings": [self.recordings[number].name for number in self._used],
        }


def _stretches(recording, part=(0.0, 1.0)):
    """Return start and end of what is without a hole in a part of a recording."""
    first, end = (round(recording.length * share) for share in part)
    edges = [first, *(hole for hole in recording.holes if first < hole < end), end]
    return list(itertools.pairwise(edges))


def _without_gap(*recordings):
    return " without a gap in time" if any(recording.holes for recording in recordings) else ""


def warn_of_pace(recordings: Sequence[Recording]) -> None:
    """Log a warning if frames are not equally far apart in time, in or between recordings."""
    steps = {recording.name: recording.step for recording in recordings if recording.step}
    uneven = [name for name, step in steps.items() if math.isnan(step)]
    if uneven:
        logging.warning(
            "%s%s: expected frames equally far apart in time, got times or names of files that do "
            "not show it. They are used as if they were. Give each recording a folder of its own.",
            uneven[0],
            f" and {len(uneven) - 1} more" if len(uneven) > 1 else "",
        )
    known = sorted((step, name) for name, step in steps.items() if not math.isnan(step))
    if known and known[-1][0] > known[0][0] * SAME:
        logging.warning(
            "Expected one frame rate, got %s in %s and %s in %s. They are used as if they were "
            "equal. Convert them to one rate, or train on each of them alone.",
            *(word for step, name in (known[0], known[-1]) for word in (_rate(step), name)),
        )


def step_of(recordings: Sequence[Recording], interval: int) -> str:
    """Return the time between every `interval`th frame in words; empty if not known or not one."""
    low, high = np.quantile([recording.step for recording in recordings], (0, 1))
    return step_in_words(low * interval, "seconds") if 0 < high <= SAME * low else ""


def warn_of_step(learnt: str, found: str) -> None:
    """Log a warning if frames are not as far apart as `learnt`; empty words tell nothing."""
    if learnt and found and not are_same_steps(learnt, found):
        message = "Expected frames %s apart, as in training, got %s. Set --frame_interval."
        logging.warning(message, learnt, found)


def _rate(step):
    return f"{1 / step:.4g} frames a second" if step < 1 else f"a frame every {step:g} seconds"


def filled(frames: np.ndarray) -> np.ndarray:
    """Return `frames` as networks take them, with 0 where values are missing (NaN)."""
    return np.where(np.isnan(frames), np.float32(0), frames)


def common_value(named: Iterable[tuple[object, Any]], kind: str = "") -> Any:
    """Return the value that all have, each with the name of its file; raise `MimError` if not."""
    pairs = iter(named)
    first_name, first = next(pairs)
    for name, value in pairs:
        if value != first:
            raise MimError(f"{name}: Expected {kind}{first} as in {first_name}, got {value}.")
    return first


def common_times(ours: dict, theirs: dict) -> list[str]:
    """Return the stretches "FIRST to LAST" of a described grid that overlap one of ours."""
    if any(each.get("source") != "grid" for each in (ours, theirs)):
        return []
    known, found = ([text.split(" to ") for text in x["recordings"]] for x in (ours, theirs))
    return [f"{a} to {b}" for a, b in found if any(a <= end and first <= b for first, end in known)]


def describe_splits(sources: dict[str, SequenceSource]) -> str:
    """Return a line for each split: number of sequences, shape and origin."""
    return "\n".join(f"{split}: {_describe(source)}" for split, source in sources.items())


def _describe(source):
    record = source.describe()
    count = "endless" if source.size is None else f"{source.size:,}"
    origin = record.get("source", type(source).__name__)
    gaps = record.get("gaps_in_time")
    if record.get("paths"):
        origin += f" {', '.join(record['paths'])}"
    elif record.get("recordings"):
        first, *others = record["recordings"]
        origin += f" {first}" + (f" and {len(others)} more" if others else "")
    if "selected_from" in record:
        origin += f" (of its {record['selected_from']:,} sequences)"
    left_out = f"; none crosses one of {gaps} gaps in time" if gaps else ""
    return f"{size_in_words(count, source.shape)}, {origin}{left_out}"


def size_in_words(count: object, shape: Sequence[int]) -> str:
    """Return the number of sequences and their (T, H, W, C) as text."""
    length, height, width, channels = shape
    size = f"{height} x {width} x {channels} (height x width x channels)"
    return f"{count} sequences of {length} frames, {size}"
