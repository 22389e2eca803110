"""Inputs of a prediction: arrays, folders of images, videos, and fields with coordinates."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from absl import logging

from mim_tf.config import DataConfig
from mim_tf.data.files.arrays import (
    MOST_COLOURS,
    check_array,
    check_channels_last,
    open_npy,
    warn_of_channels,
    warn_of_order,
)
from mim_tf.data.files.images import FrameFormat
from mim_tf.data.files.recordings import (
    VIDEO_SUFFIXES,
    ArrayVideo,
    find_recordings,
    open_recording,
)
from mim_tf.data.scale_fit import check_units
from mim_tf.data.sets.grid.files import is_grid, is_pattern
from mim_tf.data.sets.grid.grid import Stretch, cached_grid
from mim_tf.data.sets.grid.times import runs
from mim_tf.data.source import Recording, filled, warn_of_pace, warn_of_step
from mim_tf.errors import MimError
from mim_tf.prediction.outputs import ForecastOrigin
from mim_tf.storage.paths import list_folder
from mim_tf.values.grid import check_grid
from mim_tf.values.scale import LinearScale
from mim_tf.values.step import Step, step_from_words, step_in_words

_LAYOUTS = {3: "[T, H, W]", 4: "[T, H, W, C]", 5: "[N, T, H, W, C]"}


@dataclasses.dataclass
class Input:
    """The sequences of one file or folder, all of one length.

    Raises `MimError` if there are fewer than `context` frames.
    """

    path: Path
    recordings: Sequence[Recording]  # one for each sequence
    batch_axis: bool = False  # whether they come from an array with a batch axis
    context: int | None = None  # number of frames to use, the last ones; None: all
    interval: int = 1  # use every Nth frame, the last among them
    scale: LinearScale | None = None  # of the network, if the recordings hold physical values
    origin: ForecastOrigin | None = None  # coordinates and times, if the input has them

    def __post_init__(self):
        self.count = len(self.recordings)
        first = self.recordings[0]
        after = max(first.holes, default=0)
        self.frames = len(range(after, first.length, self.interval))
        self.length = self.context or self.frames
        gap = f" after the gap in time before frame {after + 1}" if after else ""
        if self.length > self.frames:
            whole = " without a gap" if self.origin else ""
            remedy = f"got {self.frames}{gap}. Lower --context or --frame_interval."
            raise MimError(f"{self.path}: expected at least {self.length} frames{whole}, {remedy}")
        if gap and not self.context:
            logging.warning("%s: the context is the %d frames%s.", self.path, self.frames, gap)
        warn_of_pace(self.recordings)

    def read(self, sequence: int) -> np.ndarray:
        """Return the context of a sequence, `[length, H, W, C]`, as the network takes it."""
        recording = self.recordings[sequence]
        before_last = self.interval * np.arange(self.length)[::-1]
        frames = recording.read(recording.length - 1 - before_last)
        if self.scale:
            low, high, expected = self.scale.possible
            wrong = (frames < low) | (frames > high)
            if wrong.any():
                got = f"got {frames[wrong][0]:g}. Write NaN where values are missing."
                raise MimError(f"{recording.name}: expected {expected} or NaN, {got}")
            if empty := int(np.isnan(frames).all(axis=(1, 2)).any(axis=-1).sum()):
                message = "%s: %d of %d frames of the context have no values. End it before them."
                logging.warning(message, recording.name, empty, len(frames))
            if not sequence:
                self.scale.warn_of_other_values(frames, recording.name)
            frames = self.scale.to_unit(frames)
        return filled(frames)


def list_inputs(path: str | Path) -> tuple[list[Path], bool]:
    """Return the inputs at `path` in natural order, and whether it is a folder of inputs."""
    path, suffixes = Path(path), (".npy", *VIDEO_SUFFIXES)
    if not os.path.lexists(path):
        raise MimError(f"{path}: expected frames as --input, found nothing there. Check it.")
    inside, itself = find_recordings(path, suffixes, fewest_images=1)
    if bool(itself) == bool(inside):
        found = f"images and also {inside[0].name}" if itself else "something else"
        expected = f"{', '.join(suffixes)}, a folder of images, or a folder of these"
        raise MimError(f"{path}: expected {expected} as --input, got {found}.")
    return ([path], False) if itself else (inside, True)


def open_input(
    path: Path,
    frame_shape: tuple[int, int, int],
    resize: bool = False,
    context: int | None = None,
    scale: LinearScale | None = None,
    interval: int = 1,
) -> Input:
    """Open a `.npy` file, a video, a GIF or a folder of images; `context` and more as for `Input`.

    Args:
        path: as from `list_inputs`.
        frame_shape: (H, W, C) of the network.
        resize: whether frames of another height and width are resized or refused.
        scale: scale of the network; arrays of floats then hold physical values, NaN where missing.
            None: they hold frames in [0, 1].
    """
    recordings: list[Path | ArrayVideo] = [path]
    batch_axis, has_levels = False, True
    if not os.path.isdir(path) and path.suffix.lower() == ".npy":
        array = open_npy(path)
        check_array(array, path, _LAYOUTS)
        has_levels = array.dtype == np.uint8
        rank = array.ndim
        array, batch_axis = _five_axes(array, frame_shape)
        check_channels_last(array.shape, path)
        if rank == 4 and batch_axis:
            warn_of_channels(array.shape, path, "np.moveaxis(array, 1, -1)")
        warn_of_order(array, path)
        names = [f"{path}[{n}]" if batch_axis else str(path) for n in range(len(array))]
        recordings = [ArrayVideo(*pair) for pair in zip(names, array, strict=True)]
    if has_levels and scale and scale.clipped:
        scale = None  # levels 0..255 stand for its range, as frames do
    if has_levels and scale:
        scale.check_levels(path)
    is_physical = scale is not None and not has_levels
    form = FrameFormat(frame_shape, resize, any_range=is_physical)
    opened = [open_recording(recording, form) for recording in recordings]
    return Input(path, opened, batch_axis, context, interval, scale)


def _five_axes(array, frame_shape):
    """Return an array as `[N, T, H, W, C]`, and whether it has an axis N.

    Four axes are `[N, T, H, W]` if the network is grey and either the last axes are its height and
    width, or the last one is longer than any number of channels; otherwise `[T, H, W, C]`.
    """
    *size, channels = frame_shape
    if array.ndim == 5:
        return array, True
    if array.ndim == 3:
        return array[None, ..., None], False
    grey = [*array.shape[2:]] == size or array.shape[-1] > MOST_COLOURS
    return (array[..., None], True) if channels == 1 and grey else (array[None], False)


def has_coordinates(text: str) -> bool:
    """Return whether an input is a file, store, pattern or folder of fields with coordinates."""
    path = Path(text)
    if os.path.isdir(path) and not is_grid(path):
        return any(map(is_grid, list_folder(path)))
    return is_grid(path) or is_pattern(path)


def open_grid_input(
    text: str, predictor, weights: str, part: DataConfig, context=None, interval=None
):
    """Open fields with coordinates; the context is their last fields without a gap.

    Returns an `Input`, and the predictor for fields of this size.

    Args:
        text: a file, store, pattern or folder.
        predictor, weights: a `Predictor`, and its file for the record in the output.
        part: variables, region and coarsening; the variables of the training by default.
        context: number of fields to use; None: as many as in the training.
        interval: use every Nth field; None: fields as far apart as in the training, if known.
    """
    config = predictor.config
    scale = config.scale
    if scale is None:
        raise MimError(
            f"{weights}: expected weights trained with --dataset=grid for {text}. Train such "
            "weights, or give a .npy file."
        )
    variables = part.variables or ",".join(scale.names)
    part = dataclasses.replace(part, variables=variables, scale=scale.transform or "auto")
    grid = cached_grid([Path(text)], part)
    predictor = predictor.at_size(*grid.frame_shape[:2])
    if grid.frame_shape != predictor.frame_shape:
        found = f"{grid.frame_shape}. Give its --region, --coarsen and --variables."
        raise MimError(f"{text}: expected frames of {predictor.frame_shape}, got {found}")
    check_units(scale, grid.variables, grid.units)
    check_grid(config.frame_grid, grid.frame_grid, text, must=False)
    interval, step = _spacing(text, grid.step, config.frame_step, interval)
    warn_of_step(config.frame_step, step_in_words(*step) if step[0] else "")
    first, last = runs(grid.times, 0, len(grid))[-1]
    length = context or predictor.context_length or config.input_length
    fields = np.maximum(last - 1 - interval * np.arange(length)[::-1], 0)
    origin = ForecastOrigin(grid, fields, weights, step)
    stretches = [Stretch(grid, first, last)]
    return Input(Path(text), stretches, False, length, interval, scale, origin), predictor


def _spacing(text: str, there: Step, learnt: str, interval: int | None) -> tuple[int, Step]:
    """Return the interval between the fields to use, and its step; `learnt` is of the training."""
    size, unit = there
    if interval or not learnt:
        return interval or 1, (size * (interval or 1), unit)
    wanted = step_from_words(learnt)
    if not size:  # a single field
        return 1, wanted
    if unit != wanted[1] or wanted[0] % size:
        found = f"{step_in_words(*there)}. Use every Nth field with --frame_interval=N."
        raise MimError(f"{text}: expected {learnt}, or a fraction, between fields, got {found}")
    return int(wanted[0] // size), wanted
