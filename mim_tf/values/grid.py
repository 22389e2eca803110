"""Where the rows and columns of frames lie, as weights files keep it of the training data."""

import dataclasses
import re

import numpy as np
from absl import logging

from mim_tf.errors import MimError

_KEPT = 16
_WORDS_OF_1_2 = re.compile(r"(\d+) (\S.*?)(?: \((\S+) to (\S+)\))?(?: x |$)")
"""An axis in files of version 1.2, such as "32 lat (87.19 to -87.19)"."""


@dataclasses.dataclass(frozen=True)
class Axis:
    """The rows or the columns of frames: the name of the dimension, such as "lat", and its size.

    `coordinates` are some of its coordinates, see `of`; empty where there are none.
    """

    name: str
    size: int
    coordinates: tuple[float, ...] = ()

    def __post_init__(self):
        object.__setattr__(self, "coordinates", tuple(map(float, self.coordinates)))
        right_types = isinstance(self.name, str) and type(self.size) is int and self.size > 0
        if not right_types or not np.isfinite(self.coordinates).all():
            raise ValueError(f"expected a positive size and finite coordinates of {self.name!r}")

    @classmethod
    def of(cls, name: str, coordinates: np.ndarray) -> "Axis":
        """Return an axis that keeps the first, the last and up to 14 coordinates between them."""
        # A hash would differ between float32 and float64. Samples can be compared with a tolerance,
        # and tell Gaussian from regular latitudes, which differ by a hundredth of a step.
        size = len(coordinates)
        kept = np.linspace(0, size - 1, min(size, _KEPT)).round().astype(int)
        return cls(name, size, tuple(np.asarray(coordinates, np.float64)[kept].tolist()))

    @property
    def words(self) -> str:
        """Size, name and ends, for messages."""
        return f"{self.size} {self.name}" + (f" ({self._ends})" if self.coordinates else "")

    @property
    def _ends(self):
        return f"{self.coordinates[0]:.7g} to {self.coordinates[-1]:.7g}"

    @property
    def _step(self):
        return (self.coordinates[-1] - self.coordinates[0]) / max(self.size - 1, 1)

    @property
    def _is_longitude(self):
        return "lon" in self.name.lower()  # x of a projection may be 360 km further, too

    @property
    def _is_globe(self):
        # With or without the first column once more at the end.
        step = abs(self._step)
        return (
            self._is_longitude
            and step > 0
            and -1.01 * step < step * (self.size - 1) - 360 < 0.01 * step
        )

    def is_same(self, found: "Axis", where: str) -> bool:
        """Return whether `found`, the axis of the files `where`, has the same coordinates.

        Longitudes that differ by a full circle are the same. Raises `MimError` if the axis is
        reversed, or is a globe that begins at another longitude.
        """
        if not self.coordinates or not found.coordinates or self.size != found.size:
            return (self.size, self.coordinates) == (found.size, found.coordinates)
        ours, theirs = np.array(self.coordinates), np.array(found.coordinates)
        if len(ours) != len(theirs):  # version 1.2 kept the ends alone
            ours, theirs = ours[[0, -1]], theirs[[0, -1]]
        message = (
            f"{where}: expected {found.name} from {self._ends}, as in training or truth, got "
            f"{found._ends}. In xarray: "
        )
        if self._step * found._step < 0:
            raise MimError(f"{message}.sortby({found.name!r}, ascending={self._step > 0}).")
        step, shift = abs(self._step), theirs[0] - ours[0]
        turn = 360 * np.clip(np.round(shift / 360), -1, 1) if self._is_longitude else 0
        if self._is_globe and found._is_globe and abs(shift - turn) > 0.99 * step:
            columns = round(-shift % 360 / step)
            raise MimError(f"{message}.roll({found.name}=-{columns}, roll_coords=True).")
        return bool(np.abs(theirs - turn - ours).max() < (1e-3 * step or 1e-4))


@dataclasses.dataclass(frozen=True)
class FrameGrid:
    """The coordinates of the rows and columns of frames."""

    rows: Axis
    columns: Axis

    @property
    def words(self) -> str:
        """Both axes as text, for messages and records."""
        return f"{self.rows.words} x {self.columns.words}"

    @classmethod
    def from_stored(cls, stored: dict | str) -> "FrameGrid":
        """Return the grid from JSON, or from the text that version 1.2 wrote instead."""
        try:
            if isinstance(stored, str):
                axes = [
                    Axis(name, int(size), (float(first), float(last)) if first else ())
                    for size, name, first, last in _WORDS_OF_1_2.findall(stored)
                ]
            else:
                axes = [Axis(**stored[side]) for side in ("rows", "columns")]
            return cls(*axes)
        except (TypeError, ValueError, KeyError):
            raise MimError(f"Expected the rows and columns of a grid, got {stored!r}.") from None


def check_grid(learnt: FrameGrid | None, found: FrameGrid | None, where: str, must: bool) -> None:
    """Check that frames of the files `where` lie where those of the training did, if it is known.

    Another place raises `MimError` if it `must` be the same, as for two splits of one run, and logs
    a warning otherwise, because weights may be tried elsewhere. Reversed rows or columns, and a
    globe that begins at another longitude, always raise: they are as easily corrected as
    overlooked.
    """
    if not learnt or not found:
        return
    pairs = (learnt.rows, found.rows), (learnt.columns, found.columns)
    if all([ours.is_same(theirs, where) for ours, theirs in pairs]):  # a list: both may raise
        return
    if must:
        raise MimError(
            f"{where}: expected one grid for all paths, {learnt.words}, got {found.words}. In "
            "xarray: interp_like, sortby, roll."
        )
    logging.warning(
        "%s: the model was trained on fields of %s, these are of %s. It may predict them badly.",
        *(where, learnt.words, found.words),
    )
