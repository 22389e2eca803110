"""Frames to predict from: arrays, folders of images and videos."""

import dataclasses
import os
from pathlib import Path

import numpy as np

from mim_tf.config import DataConfig
from mim_tf.data.files.arrays import check_array, open_array
from mim_tf.data.files.recordings import ArrayVideo, convert_recordings, find_recordings
from mim_tf.data.files.videos import VIDEO_SUFFIXES
from mim_tf.data.scale_fit import check_units
from mim_tf.data.sets.grid.agreement import check_placement
from mim_tf.data.sets.grid.files import is_grid, is_pattern
from mim_tf.data.sets.grid.grid import open_grid
from mim_tf.data.sets.grid.source import Stretch
from mim_tf.data.sets.grid.times import runs
from mim_tf.data.source import Indices, filled
from mim_tf.data.windows import Recording
from mim_tf.errors import MimError
from mim_tf.prediction.forecast_file import ForecastOrigin
from mim_tf.storage.paths import list_folder
from mim_tf.values.scale import LinearScale
from mim_tf.values.step import Step, step_from_words, step_in_words

_MOST_CHANNELS = 4
_LAYOUTS = {3: "[T, H, W]", 4: "[T, H, W, C]", 5: "[N, T, H, W, C]"}


class Input:
    """The sequences of one file or folder, of one length.

    Args:
        path: of the file or folder.
        recordings: a `Recording` for each sequence.
        batch_axis: whether they come from an array with a batch axis.
        context: use the last so many frames. None: all.
        interval: use every Nth frame, the last among them.

    Attributes:
        frames: of each sequence, at this interval.
        length: frames of each context.
        count: number of sequences.
        origin: coordinates and times of the input, where it has any.

    Raises `MimError` if there are fewer than `context` frames.
    """

    def __init__(
        self,
        path: Path,
        recordings: list[Recording],
        batch_axis: bool = False,
        context: int | None = None,
        interval: int = 1,
    ):
        self.path = path
        self.batch_axis = batch_axis
        self.count = len(recordings)
        self.frames = len(range(0, recordings[0].length, interval))
        self.length = context or self.frames
        self.origin: ForecastOrigin | None = None
        self._recordings = recordings
        self._interval = interval
        if self.length > self.frames:
            raise MimError(
                f"{path}: expected at least {context} frames, as --context asks for, received "
                f"{self.frames}. Lower --context{' or --frame_interval' * (interval > 1)}."
            )

    def read(self, sequence: int) -> np.ndarray:
        """The context frames of a sequence, `[length, H, W, C]`, float32 in [0, 1]."""
        recording = self._recordings[sequence]
        before_last = self._interval * np.arange(self.length)[::-1]
        return filled(recording.read(recording.length - 1 - before_last))

    def release(self) -> None:
        """Frees the memory of decoded frames; nothing can be read afterwards."""
        self._recordings = []


def list_inputs(path: str | Path) -> tuple[list[Path], bool]:
    """The inputs at `path` in natural order, and whether it is a folder of inputs.

    An input is a `.npy` file, a video, a GIF, or a folder with images.

    Raises `MimError` if there is none, and for a folder with both images and other inputs.
    """
    path = Path(path)
    suffixes = (".npy", *VIDEO_SUFFIXES)
    if not os.path.lexists(path):
        raise MimError(f"{path}: expected frames, found nothing there. Check the path.")
    inside, itself = find_recordings(path, suffixes, fewest_images=1)
    if itself and inside:
        raise MimError(
            f"{path}: expected images or a folder of inputs, received images and also "
            f"{inside[0].name}. Move one or the other elsewhere."
        )
    if not itself and not inside:
        found = "found none in it" if os.path.isdir(path) else "received another kind of file"
        raise MimError(
            f"{path}: expected {', '.join(suffixes)} or a folder of images, or a folder of such, "
            f"{found}."
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
    """Opens a `.npy` file, a video, a GIF or a folder of images.

    An array of four axes is `[N, T, H, W]` where C is 1 and either its last axes are the model's
    height and width, or the last is larger than 4; otherwise it is `[T, H, W, C]`.

    Args:
        path: as from `list_inputs`.
        frame_shape: (H, W, C) of the model.
        resize: whether other heights and widths are resized to it, or refused.
        context: use the last so many frames. None: all.
        scale: of the model's frames; floats of arrays are then physical values, NaN where one is
            missing. None: they are frames, in [0, 1].
        interval: use every Nth frame, the last among them.

    Raises `MimError` for files that cannot be opened, too few frames, another size without
    `resize`, other channels of an array (pictures become grey or RGB), and for array values that
    are neither uint8 nor in [0, 1]; and for uint8 and pictures if `scale` is of other values.
    """
    batch_axis, recordings, has_levels = False, [path], True
    if not os.path.isdir(path) and path.suffix.lower() == ".npy":
        array = open_array(path, time_first=False)
        check_array(array, path, _LAYOUTS)
        has_levels = array.dtype == np.uint8
        array, batch_axis = _five_axes(array, frame_shape)
        names = [f"{path}[{n}]" if batch_axis else str(path) for n in range(len(array))]
        recordings = [ArrayVideo(*pair) for pair in zip(names, array, strict=True)]
    if has_levels and scale and not scale.clipped and not _fits_levels(scale):
        raise MimError(
            f"{path}: expected an array of floats, physical values{_listed(scale.unit)}, as the "
            "model was trained on; received pictures or levels 0..255."
        )
    is_physical = scale is not None and not has_levels
    opened = convert_recordings(recordings, frame_shape, resize, any_range=is_physical)
    if scale and not (has_levels and scale.clipped):  # whose range levels stand for
        opened = [Scaled(recording, scale) for recording in opened]
    return Input(path, opened, batch_axis, context, interval)


class Scaled(Recording):
    """Frames of a recording whose values are physical."""

    def __init__(self, recording: Recording, scale: LinearScale):
        self.name, self.length = recording.name, recording.length
        self._recording, self._scale = recording, scale

    def read(self, positions: Indices) -> np.ndarray:
        values = self._recording.read(positions)
        if np.isinf(values).any():
            raise MimError(f"{self.name}: expected finite values or NaN, received infinity.")
        return self._scale.to_unit(values)


def _fits_levels(scale):
    """Whether the values of the training may have been levels, divided by 255 as they are here."""
    if any(scale.unit) or scale.black is None or scale.white is None:
        return False
    return bool(np.min(scale.black) >= 0 and np.max(scale.white) <= 1)


def _listed(unit):
    units = [unit] if isinstance(unit, str) else unit
    return f" in {', '.join(filter(None, units))}" if any(units) else ""


def _five_axes(array, frame_shape):
    """`[N, T, H, W, C]`, and whether the array had an axis N."""
    height, width, channels = frame_shape
    if array.ndim == 5:
        return array, True
    if array.ndim == 3:
        return array[None, ..., None], False
    grey = array.shape[2:] == (height, width) or array.shape[-1] > _MOST_CHANNELS
    return (array[..., None], True) if channels == 1 and grey else (array[None], False)


# MERGED: Fields with coordinates to predict from.


def has_coordinates(text: str) -> bool:
    """Whether an input is a file, store or pattern, or a folder of them, with coordinates."""
    path = Path(text)
    if os.path.isdir(path) and not is_grid(path):
        return any(map(is_grid, list_folder(path)))
    return is_grid(path) or is_pattern(path)


def open_grid_input(
    text: str,
    predictor,
    weights: str,
    part: DataConfig,
    context: int | None = None,
    interval: int | None = None,
) -> Input:
    """The last fields of files with coordinates, on the scale of the model.

    Args:
        text: path of a file or store, a pattern, or a folder of them.
        predictor: `FromWeights` or `FromExport`, of a model with a scale.
        weights: what it predicts with, for the record.
        part: variables, by default those of the model, region and coarsening.
        context: use the last so many fields; None: as many as the model was trained with.
        interval: use every Nth field, counted from the last; None: those as far apart as the model
            was trained with, or all where it does not say.

    Raises:
        MimError: for files that cannot be used, fields that do not fit the model, and too few of
            them since the last gap.
    """
    scale = predictor.scale
    if scale is None:
        raise MimError(
            f"{weights}: expected weights that know what values stand for, to predict from {text}; "
            "these take frames in [0, 1]. Train with --dataset=grid, or give a .npy file."
        )
    variables = part.variables or ",".join(scale.names)
    grid = open_grid([Path(text)], dataclasses.replace(part, variables=variables))
    if grid.frame_shape != predictor.frame_shape:
        raise MimError(
            f"{text}: expected fields of (height, width, channels) {predictor.frame_shape}, as the "
            f"model's are, received {grid.frame_shape}. Give the --region and --coarsen of the "
            "training, or other --variables."
        )
    check_units(scale, grid.variables, grid.units)
    check_placement(predictor.frame_grid, grid.words, text)
    interval, step = _spacing(text, grid.step, predictor.frame_step, interval)
    first, last = runs(grid.times, 0, len(grid))[-1]
    length = context or predictor.context_length or predictor.input_length
    found = len(range(first, last, interval))
    if found < length:
        apart = f" {step_in_words(*step)} apart," if interval > 1 else ""
        raise MimError(
            f"{text}: expected at least {length} fields{apart} without a gap before the forecast, "
            f"received {found}, from {grid.times.text(first)} to "
            f"{grid.times.text(last - 1)}. Give more, or a smaller --context."
        )
    recording = Scaled(Stretch(grid, first, last), scale)
    opened = Input(Path(text), [recording], context=length, interval=interval)
    opened.origin = ForecastOrigin(grid, last - 1, weights, step)
    return opened


def _spacing(text: str, there: Step, learnt: str, interval: int | None) -> tuple[int, Step]:
    """The interval between the fields to use, and the step it makes.

    Args:
        text: the input, for the message.
        there: the step of its fields.
        learnt: the step the model was trained with, in words, or empty.
        interval: as it was asked for.
    """
    size, unit = there
    if interval or not learnt:
        interval = interval or 1
        return interval, (size * interval, unit)
    wanted = step_from_words(learnt)
    if not size:  # a single field
        return 1, wanted
    if unit != wanted[1] or wanted[0] % size:
        raise MimError(
            f"{text}: expected fields {learnt} apart, as the model was trained with, or closer "
            f"ones among which there are such; received {step_in_words(*there)}. Give others, or "
            "say with --frame_interval=N that every Nth will do."
        )
    return wanted[0] // size, wanted
