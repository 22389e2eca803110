"""Frames to predict from: arrays, folders of images and videos."""

from pathlib import Path

import numpy as np

from mim_tf.data.files.array_videos import ArrayVideo
from mim_tf.data.files.arrays import open_array
from mim_tf.data.files.folder import native_shape, open_recordings
from mim_tf.data.files.images import list_images, natural_order
from mim_tf.data.files.videos import VIDEO_SUFFIXES
from mim_tf.errors import MimError

_MOST_CHANNELS = 4


class Input:
    """The sequences of one file or folder, of one length.

    Args:
        path: of the file or folder.
        recordings: a `Recording` for each sequence.
        batch_axis: whether the sequences stand in an array with a batch axis.
        context: use the last so many frames. None: all.

    Attributes:
        length: frames of each context.
        count: number of sequences.

    Raises `MimError` where there are fewer than `context` frames.
    """

    def __init__(self, path, recordings, batch_axis=False, context=None):
        self.path = path
        self.batch_axis = batch_axis
        self.count = len(recordings)
        self.frames = recordings[0].length
        self.length = context or self.frames
        self._recordings = recordings
        if self.length > self.frames:
            raise MimError(
                f"{path}: expected at least {context} frames, as --context asks for, received "
                f"{self.frames}. Lower --context."
            )

    def read(self, sequence) -> np.ndarray:
        """The context frames of a sequence, `[length, H, W, C]`, float32 in [0, 1]."""
        return self._recordings[sequence].read(np.arange(self.frames - self.length, self.frames))

    def release(self) -> None:
        """Gives back the memory of decoded frames; nothing can be read any more."""
        self._recordings = []


def list_inputs(path) -> tuple[list[Path], bool]:
    """The inputs at `path` in natural order, and whether it is a folder of inputs.

    An input is a `.npy` file, a video, a GIF, or a folder with images.

    Raises `MimError` where there is none, and for a folder with both images and other inputs.
    """
    path = Path(path)
    kinds = f".npy, {', '.join(VIDEO_SUFFIXES)} or a folder of images"
    if not path.exists():
        raise MimError(f"{path}: expected frames, found nothing there. Check the path.")
    if not path.is_dir():
        if not _is_input(path):
            raise MimError(f"{path}: expected {kinds}, received another kind of file.")
        return [path], False
    try:
        inside = sorted(filter(_is_input, path.iterdir()), key=natural_order)
        is_input = _is_input(path)
    except OSError as error:
        raise MimError(f"{path} cannot be read: {error}. Check its permissions.") from None
    if is_input and inside:
        raise MimError(
            f"{path}: expected images or a folder of inputs, received images and also "
            f"{inside[0].name}. Move one or the other elsewhere."
        )
    if not is_input and not inside:
        raise MimError(f"{path}: expected {kinds}, or a folder of such, found none in it.")
    return ([path], False) if is_input else (inside, True)


def open_input(path, frame_shape, resize=False, context=None) -> Input:
    """Opens a `.npy` file, a video, a GIF or a folder of images.

    An array of four axes is `[N, T, H, W]` where C is 1 and either its last axes are the model's
    height and width, or the last is larger than 4; otherwise it is `[T, H, W, C]`.

    Args:
        path: as from `list_inputs`.
        frame_shape: (H, W, C) of the model.
        resize: whether other heights and widths are resized to it, or refused.
        context: use the last so many frames. None: all.

    Raises `MimError` for files that cannot be opened, too few frames, another size without
    `resize`, other channels of an array (pictures become grey or RGB), and for array values that
    are neither uint8 nor in [0, 1].
    """
    batch_axis, recordings = False, [path]
    if not path.is_dir() and path.suffix.lower() == ".npy":
        array = _checked_array(path, open_array(path, time_first=False))
        array, batch_axis = _five_axes(array, frame_shape)
        names = [f"{path}[{n}]" if batch_axis else str(path) for n in range(len(array))]
        recordings = [ArrayVideo(*pair) for pair in zip(names, array, strict=True)]
    _check_frames(recordings[0], path, frame_shape, resize)
    opened = open_recordings(recordings, frame_shape, 1, resize=resize).recordings
    return Input(path, opened, batch_axis, context)


def _is_input(path):
    if path.name.startswith("."):
        return False
    if path.is_dir():
        return bool(list_images(path))
    return path.suffix.lower() in (".npy", *VIDEO_SUFFIXES)


def _checked_array(path, array):
    if (
        array.ndim not in (3, 4, 5)
        or 0 in array.shape
        or (array.dtype != np.uint8 and array.dtype.kind != "f")
    ):
        raise MimError(
            f"{path}: expected frames [T, H, W], [T, H, W, C] or [N, T, H, W, C], uint8 in 0..255 "
            f"or float in [0, 1], received {array.dtype} {list(array.shape)}. Convert and reshape "
            "it."
        )
    return array


def _five_axes(array, frame_shape):
    """`[N, T, H, W, C]`, and whether the array had an axis N."""
    height, width, channels = frame_shape
    if array.ndim == 5:
        return array, True
    if array.ndim == 3:
        return array[None, ..., None], False
    grey = array.shape[2:] == (height, width) or array.shape[-1] > _MOST_CHANNELS
    return (array[..., None], True) if channels == 1 and grey else (array[None], False)


def _check_frames(recording, path, frame_shape, resize):
    height, width, channels = native_shape(recording)
    if not resize and (height, width) != tuple(frame_shape[:2]):
        raise MimError(
            f"{path}: expected frames of {frame_shape[0]} x {frame_shape[1]} pixels (height x "
            f"width), as the model's are, received {height} x {width}. Give --resize."
        )
    if isinstance(recording, ArrayVideo) and channels != frame_shape[2]:
        raise MimError(
            f"{path}: expected frames of {frame_shape[2]} channels, as the model's are, received "
            f"{channels}. Convert the array."
        )
    if not isinstance(recording, ArrayVideo) and frame_shape[2] not in (1, 3):
        raise MimError(
            f"{path}: the model's frames have {frame_shape[2]} channels, those of images and "
            "videos 1 or 3. Give a .npy file."
        )
