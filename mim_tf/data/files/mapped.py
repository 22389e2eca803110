"""Arrays that stay in their files, and files that have to stay as they are."""

import dataclasses
import os
from pathlib import Path
from typing import BinaryIO

import numpy as np

from mim_tf.errors import MimError


@dataclasses.dataclass(frozen=True)
class Stamp:
    """Size and time of change of a file, by which another content is noticed.

    Attributes:
        path: of the file.
        size: in bytes.
        changed: nanoseconds.
    """

    path: str
    size: int
    changed: int

    @classmethod
    def of(cls, path: str | Path) -> "Stamp":
        """That of the file now. Raises `OSError` if there is none."""
        status = os.stat(path)
        return cls(str(path), status.st_size, status.st_mtime_ns)

    def check(self) -> None:
        """Raises `MimError` if the file was changed since; one that is gone was not."""
        try:
            now = Stamp.of(self.path)
        except FileNotFoundError:
            return
        if now != self:
            raise MimError(
                f"{self.path} was changed while it was in use: expected {self.size} bytes as when "
                f"it was opened, received {now.size}, with another time of change. Leave data as "
                "it is during a run, and start again."
            )


class MappedArray(np.memmap):
    """An array in a file; whenever a part of it is taken, the file has to be as it was.

    Without that, a file that is rewritten gives other values, and one that is shortened ends the
    process by a signal.
    """

    _stamp: Stamp | None = None

    def __array_finalize__(self, obj):
        super().__array_finalize__(obj)
        self._stamp = getattr(obj, "_stamp", None)

    def __getitem__(self, index):
        if self._stamp:
            self._stamp.check()
        part = super().__getitem__(index)
        is_copy = isinstance(part, MappedArray) and part._mmap is None
        return part.view(np.ndarray) if is_copy else part


def map_array(
    file: BinaryIO, dtype: np.dtype, offset: int, shape: tuple[int, ...], order: str
) -> MappedArray:
    """The array that begins at `offset` of an open file. Arguments as for `numpy.memmap`."""
    stamp = Stamp.of(file.name)
    array = MappedArray(file, dtype, "r", offset, shape, order)
    array._stamp = stamp
    return array
