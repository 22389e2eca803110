"""Inputs of a prediction: arrays, folders of images, videos, and fields with coordinates."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mim_tf.config import DataConfig
from mim_tf.data.files.arrays import check_array, open_npy
from mim_tf.data.files.recordings import (
    VIDEO_SUFFIXES,
    ArrayVideo,
    convert_recordings,
    find_recordings,
)
from mim_tf.data.scale_fit import check_units
from mim_tf.data.sets.grid.fields import is_grid, is_pattern
from mim_tf.data.sets.grid.grid import Stretch, cached_grid
from mim_tf.data.sets.grid.times import runs
from mim_tf.data.source import Recording, filled
from mim_tf.errors import MimError
from mim_tf.prediction.forecast_file import ForecastOrigin
from mim_tf.storage.paths import list_folder
from mim_tf.values.grid import check_grid
from mim_tf.values.scale import LinearScale
from mim_tf.values.step import Step, step_from_words, step_in_words

if TYPE_CHECKING:
    from mim_tf.prediction.forecasters import Predictor

_MOST_CHANNELS = 4
_LAYOUTS = {3: "[T, H, W]", 4: "[T, H, W, C]", 5: "[N, T, H, W, C]"}


class Input:
    """The sequences of one file or folder, all of one length.

    Args:
        path: the file or folder.
        recordings: a `Recording` for each sequence.
        batch_axis: whether they come from an array with a batch axis.
        context: number of frames to use, the last ones; None: all.
        interval: use every Nth frame, the last among them.
        scale: scale of the network, if the recordings hold physical values.
        origin: coordinates and times, if the input has them.

    Raises `MimError` if there are fewer than `context` frames.
    """

    def __init__(
        self,
        path: Path,
        recordings: Sequence[Recording],
        batch_axis: bool = False,
        context: int | None = None,
        interval: int = 1,
        scale: LinearScale | None = None,
        origin: ForecastOrigin | None = None,
    ):
        self.path, self.batch_axis, self.origin = path, batch_axis, origin
        self.count = len(recordings)
        self.frames = len(range(0, recordings[0].length, interval))
        self.length = context or self.frames
        self._recordings, self._interval, self._scale = list(recordings), interval, scale
        if self.length > self.frames:
            raise MimError(
                f"{path}: expected at least {context} frames because of --context, got "
                f"{self.frames}. Lower --context{' or --frame_interval' * (interval > 1)}."
            )

    def read(self, sequence: int) -> np.ndarray:
        """Return the context of a sequence, `[length, H, W, C]`, as the network takes it."""
        recording = self._recordings[sequence]
        before_last = self._interval * np.arange(self.length)[::-1]
        frames = recording.read(recording.length - 1 - before_last)
        if self._scale:
            if np.isinf(frames).any():
                raise MimError(f"{recording.name}: expected finite values or NaN, got infinity.")
            frames = self._scale.to_unit(frames)
        return filled(frames)

    def release(self) -> None:
        """Free the memory of decoded frames; nothing can be read afterwards."""
        self._recordings = []


def list_inputs(path: str | Path) -> tuple[list[Path], bool]:
    """Return the inputs at `path` in natural order, and whether it is a folder of inputs."""
    path, suffixes = Path(path), (".npy", *VIDEO_SUFFIXES)
    if not os.path.lexists(path):
        raise MimError(f"{path}: expected frames as --input, found nothing there. Check it.")
    inside, itself = find_recordings(path, suffixes, fewest_images=1)
    if itself and inside:
        raise MimError(
            f"{path}: expected images or a folder of inputs, got images and also "
            f"{inside[0].name}. Move one or the other elsewhere."
        )
    if not itself and not inside:
        raise MimError(
            f"{path}: expected {', '.join(suffixes)}, a folder of images, or a folder of these. "
            "Check --input."
        )
    return ([path], False) if itself else (inside, True)


def open_input(
    path: Path,
    frame_shape: tuple[int, int, int],
    resize: bool = False,
    context: int | None = None,
    scale: LinearScale | None = None,
    interval: int = 1,
) -> Input:
    """Open a `.npy` file, a video, a GIF or a folder of images.

    Args:
        path: as from `list_inputs`.
        frame_shape: (H, W, C) of the network.
        resize: whether frames of another height and width are resized or refused.
        context, interval: as for `Input`.
        scale: scale of the network; arrays of floats then hold physical values, NaN where missing.
            None: they hold frames in [0, 1].
    """
    recordings: list[Path | ArrayVideo] = [path]
    batch_axis, has_levels = False, True
    if not os.path.isdir(path) and path.suffix.lower() == ".npy":
        array = open_npy(path, swap=False)
        check_array(array, path, _LAYOUTS)
        has_levels = array.dtype == np.uint8
        array, batch_axis = _five_axes(array, frame_shape)
        names = [f"{path}[{n}]" if batch_axis else str(path) for n in range(len(array))]
        recordings = [ArrayVideo(*pair) for pair in zip(names, array, strict=True)]
    if has_levels and scale and not scale.clipped and not _fits_levels(scale):
        units = [scale.unit] if isinstance(scale.unit, str) else scale.unit
        raise MimError(
            f"{path}: expected an array of floats{' in ' * any(units)}"
            f"{', '.join(filter(None, units))}, physical values as in the training, got levels "
            "0..255. Convert them."
        )
    is_physical = scale is not None and not has_levels
    opened = convert_recordings(recordings, frame_shape, resize, any_range=is_physical)
    if scale and scale.clipped and has_levels:
        scale = None  # levels 0..255 stand for its range, as frames do
    return Input(path, opened, batch_axis, context, interval, scale)


def _fits_levels(scale):
    """Return whether the network may have been trained on levels divided by 255."""
    if any(scale.unit) or scale.black is None or scale.white is None:
        return False
    return bool(np.min(scale.black) >= 0 and np.max(scale.white) <= 1)


def _five_axes(array, frame_shape):
    """`[N, T, H, W, C]`, and whether the array has an axis N.

    Four axes are `[N, T, H, W]` if the network is grey and either the last axes are its height and
    width, or the last one is longer than any number of channels; otherwise `[T, H, W, C]`.
    """
    height, width, channels = frame_shape
    if array.ndim == 5:
        return array, True
    if array.ndim == 3:
        return array[None, ..., None], False
    grey = array.shape[2:] == (height, width) or array.shape[-1] > _MOST_CHANNELS
    return (array[..., None], True) if channels == 1 and grey else (array[None], False)


def has_coordinates(text: str) -> bool:
    """Return whether an input is a file, store, pattern or folder of fields with coordinates."""
    path = Path(text)
    if os.path.isdir(path) and not is_grid(path):
        return any(map(is_grid, list_folder(path)))
    return is_grid(path) or is_pattern(path)


def open_grid_input(
    text: str,
    predictor: "Predictor",
    weights: str,
    part: DataConfig,
    context: int | None = None,
    interval: int | None = None,
) -> Input:
    """Open fields with coordinates; the context is their last fields without a gap.

    Args:
        text: a file, store, pattern or folder.
        predictor: the network.
        weights: its file, for the record in the output.
        part: variables, region and coarsening; the variables of the training by default.
        context: number of fields to use; None: as many as in the training.
        interval: use every Nth field; None: fields as far apart as in the training, if known.
    """
    config = predictor.config
    scale = config.scale
    if scale is None:
        raise MimError(
            f"{weights}: expected weights with a scale to predict from {text}, got weights for "
            "frames in [0, 1]. Train with --dataset=grid, or give a .npy file."
        )
    variables = part.variables or ",".join(scale.names)
    grid = cached_grid([Path(text)], dataclasses.replace(part, variables=variables))
    if grid.frame_shape != predictor.frame_shape:
        raise MimError(
            f"{text}: expected fields of (height, width, channels) {predictor.frame_shape} as in "
            f"the training, got {grid.frame_shape}. Give its --region, --coarsen and --variables."
        )
    check_units(scale, grid.variables, grid.units)
    check_grid(config.frame_grid, grid.frame_grid, text, must=False)
    interval, step = _spacing(text, grid.step, config.frame_step, interval)
    first, last = runs(grid.times, 0, len(grid))[-1]
    length = context or predictor.context_length or config.input_length
    found = len(range(first, last, interval))
    if found < length:
        apart = f" {step_in_words(*step)} apart" if interval > 1 else ""
        raise MimError(
            f"{text}: expected at least {length} fields{apart} without a gap before the forecast, "
            f"got {found}, {grid.times.span(first, last)}. Give more, or lower --context."
        )
    origin = ForecastOrigin(grid, last - 1, weights, step)
    stretch = Stretch(grid, first, last)
    return Input(Path(text), [stretch], False, length, interval, scale, origin)


def _spacing(text: str, there: Step, learnt: str, interval: int | None) -> tuple[int, Step]:
    """Return the interval between the fields to use, and its step; `learnt` is of the training."""
    size, unit = there
    if interval or not learnt:
        interval = interval or 1
        return interval, (size * interval, unit)
    wanted = step_from_words(learnt)
    if not size:  # a single field
        return 1, wanted
    if unit != wanted[1] or wanted[0] % size:
        raise MimError(
            f"{text}: expected fields {learnt} apart as in the training, or a fraction of it, got "
            f"{step_in_words(*there)}. Give other fields, or use every Nth with --frame_interval=N."
        )
    return wanted[0] // size, wanted
