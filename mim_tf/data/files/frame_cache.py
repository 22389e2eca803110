"""Frames that are decoded when first asked for, then kept as uint8."""

import functools
import threading
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from mim_tf.data.files.arrays import from_uint8
from mim_tf.data.source import Indices
from mim_tf.data.windows import Recording


class LazyValue:
    """A value that is made when first asked for, then kept.

    Threads that ask while it is being made wait for it. If making it fails, the next one to ask
    tries again.
    """

    def __init__(self, make: Callable):
        self._make = make
        self._lock = threading.Lock()
        self._made = False
        self._value = None

    def __call__(self) -> Any:
        with self._lock:
            if not self._made:
                self._value = self._make()
                self._made = True
            return self._value


class Pictures(Recording):
    """A recording with a picture file for each frame; takes the memory of those frames as uint8.

    Args:
        name: of the recording.
        paths: of the pictures, in order.
        decode: makes uint8 `[H, W, C]` from a path, of one shape for all.
    """

    def __init__(self, name: str, paths: Iterable, decode: Callable):
        self.name = str(name)
        self._decode = decode
        self._frames = [LazyValue(functools.partial(self._levels, path)) for path in paths]
        self.length = len(self._frames)

    def read(self, positions: Indices) -> np.ndarray:
        return from_uint8(self.levels(positions))

    def levels(self, positions: Indices) -> np.ndarray:
        """Frames at `positions` as uint8 `[len(positions), H, W, C]`."""
        return np.stack([self._frames[position]() for position in positions])

    def _levels(self, path):
        # A copy, because what is decoded may be a small part of a picture still in memory.
        return np.array(self._decode(path), np.uint8)
