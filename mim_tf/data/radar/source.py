"""Radar echoes: what the numbers stand for, and windows of events."""

import dataclasses
import math
from pathlib import Path

import numpy as np

from mim_tf.data.files.arrays import unit_levels
from mim_tf.data.radar.events import open_event, visible_entries
from mim_tf.data.scale import LinearScale
from mim_tf.data.source import SequenceSource
from mim_tf.data.windows import WindowSource
from mim_tf.errors import MimError


def list_events(folder: Path) -> list[Path]:
    """The events in a folder, in natural order: subfolders, and `.npy` and `.npz` files.

    Other files are left out. Raises `MimError` where there is no event.
    """
    events = [
        path
        for path in visible_entries(folder)
        if path.is_dir() or path.suffix.lower() in (".npy", ".npz")
    ]
    if not events:
        raise MimError(
            f"{folder}: expected radar events, each a subfolder of PNG pictures or of .npy files "
            "[H, W], or a .npy or .npz file [T, H, W]; found none. Give the folder that holds the "
            "events, not an event."
        )
    return events


def open_events(
    paths: list[Path],
    total_length: int,
    scale: LinearScale,
    values: str = "dbz",
    missing: str = "",
    stride: int = 1,
    interval: int = 1,
    thresholds: tuple[float, ...] = (),
) -> SequenceSource:
    """Windows of events, none of them across two.

    Arrays of floats are read once, in parts, to check them; they stay in their files, unless these
    are compressed. Pictures are decoded when they are first asked for, and kept as uint8.

    Args:
        paths: of the events, as `list_events` returns them; frames of one size.
        total_length: frames of a window.
        scale: bounds in dBZ, which 0 and 1 in a frame stand for. Levels 0..255 of uint8 arrays
            and pictures are in equal steps from the one to the other.
        values: what floats are: "dbz", clipped to the bounds, or "unit", already in [0, 1].
        missing: values that stand for missing ones, comma separated, "nan" or numbers, as they
            are stored (levels, where these are). They are 0 in `sequences`, True in `missing`.
        stride: frames between the starts of two windows.
        interval: frames from one frame of a window to the next.
        thresholds: for the scores, in dBZ.

    Raises `MimError` for events that cannot be read or do not fit each other, values that are
    infinite, NaN without being declared missing, or outside [0, 1] where `values` is "unit", and
    thresholds outside the bounds.
    """
    if thresholds:
        scale.check_thresholds(thresholds)
    meaning = RadarValues(scale, values, parse_missing(missing))
    events = [open_event(path, meaning) for path in paths]
    _check_one_size(events)
    source = WindowSource(
        events,
        (*events[0].frame_shape, 1),
        total_length,
        stride,
        interval,
        description={
            "source": "radar",
            "scale": dataclasses.asdict(scale),
            "values": values,
            "missing": missing,
        },
    )
    source.scale = scale
    source.thresholds = tuple(thresholds)
    source.has_missing = bool(meaning.missing)
    return source


@dataclasses.dataclass(frozen=True)
class RadarValues:
    """What the stored numbers of radar frames stand for.

    Args:
        scale: bounds in dBZ.
        kind: of floats, "dbz" or "unit".
        missing: numbers, and NaN, that stand for missing values.

    Raises `MimError` for another kind.
    """

    scale: LinearScale
    kind: str
    missing: tuple[float, ...] = ()

    def __post_init__(self):
        if self.kind not in ("dbz", "unit"):
            raise MimError(f"Radar values must be dbz or unit, received {self.kind!r}.")

    def are_missing(self, stored) -> np.ndarray:
        """Where `stored` has one of the values for missing ones; bool of its shape."""
        found = np.zeros(stored.shape, bool)
        with np.errstate(over="ignore"):  # The dtype may not have a number as large as `value`.
            for value in self.missing:
                found |= np.isnan(stored) if math.isnan(value) else stored == value
        return found

    def to_unit(self, stored) -> np.ndarray:
        """uint8 or float frames as float32 in [0, 1]; missing values are 0."""
        gone = self.are_missing(stored)
        # Before the map, because numbers such as -1.8e308 do not fit into float32.
        stored = np.where(gone, 0, stored)
        if stored.dtype == np.uint8:
            frames = unit_levels(stored)
        elif self.kind == "unit":
            frames = stored.astype(np.float32)
        else:
            frames = self.scale.to_unit(stored)
        frames[gone] = 0
        return frames

    def fault(self, stored):
        """The first value among floats `[n, H, W]` that should not be there.

        Returns:
            (index of its frame, what is wrong with it and how to mend it), or None.
        """
        sound = np.isfinite(stored)
        if self.kind == "unit":
            sound &= (stored >= 0) & (stored <= 1)
        sound |= self.are_missing(stored) & ~np.isinf(stored)
        if sound.all():
            return None
        place = tuple(np.argwhere(~sound)[0])
        return int(place[0]), self._complaint(stored[place])

    def _complaint(self, value):
        if math.isnan(value):
            return "received NaN. If it stands for missing values, say --radar_missing=nan."
        if math.isinf(value):
            return f"expected finite values, received {value}. Replace it."
        return (
            f"expected values in [0, 1], because of --radar_values=unit, received {value}. For "
            f"reflectivity say --radar_values=dbz; if {value:g} stands for missing values, "
            f"--radar_missing={value:g}."
        )


def parse_missing(text: str) -> tuple[float, ...]:
    """The numbers in comma separated text; `MimError` for anything but numbers and nan."""
    numbers = []
    for part in filter(None, map(str.strip, text.split(","))):
        try:
            numbers.append(float(part))
        except ValueError:
            numbers.append(math.inf)
        if math.isinf(numbers[-1]):
            raise MimError(
                f"radar_missing must be nan or numbers, comma separated, received {part!r}."
            )
    return tuple(numbers)


def _check_one_size(events):
    if not events:
        raise MimError("Expected at least one radar event, received none.")
    for event in events:
        if event.frame_shape != events[0].frame_shape:
            raise MimError(
                f"{event.name}: expected frames of {list(events[0].frame_shape)} [H, W] as in "
                f"{events[0].name}, received {list(event.frame_shape)}. Events of one run need "
                "frames of one size."
            )
