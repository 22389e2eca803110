"""Arrays of videos, each of which is a recording."""

from pathlib import Path

import numpy as np

from mim_tf.data.files.arrays import check_frames, check_interval, from_uint8, open_array
from mim_tf.data.files.frame_format import FrameFormat
from mim_tf.data.files.images import resize_image
from mim_tf.data.files.npz_member import main_key, member_shape, read_member
from mim_tf.data.source import Indices
from mim_tf.data.windows import Recording


class ArrayVideo(Recording):
    """One video of an array; its frames stay where they are.

    Args:
        name: of the video.
        frames: `[T, h, w, C]`, uint8 in 0..255 or float in [0, 1].
        size: (height, width) its frames are resized to; None: their own.
    """

    def __init__(self, name: str, frames: np.ndarray, size: tuple[int, int] | None = None):
        self.name = name
        self.length, *shape = frames.shape
        self.frame_shape = tuple(shape)
        self._frames = frames
        self._size = size

    def converted(self, form: FrameFormat) -> "ArrayVideo":
        """The same video with frames of `form`.

        Raises `MimError` if they have other channels or, unless `form` resizes, another size, and
        for the first value that is NaN or outside [0, 1], unless `form` has any range.
        """
        form.check_size(self.name, self.frame_shape[:2])
        form.check_array_channels(self.name, self.frame_shape[-1])
        if self._frames.dtype != np.uint8 and not form.any_range:
            check_interval(self._frames, self.name, ("frame",))
        return ArrayVideo(self.name, self._frames, form.frame_shape[:2])

    def read(self, positions: Indices) -> np.ndarray:
        frames = np.asarray(self._frames[positions])
        frames = from_uint8(frames) if frames.dtype == np.uint8 else frames.astype(np.float32)
        if self._size is None:
            return frames
        return np.stack([resize_image(frame, *self._size) for frame in frames])


def array_recordings(path: str | Path, check: bool = True) -> list[ArrayVideo]:
    """The videos of a `.npy` or `.npz` file; the first is named "path[0]".

    The array is `[N, T, H, W]` or `[N, T, H, W, C]`, uint8 or float. A `.npz` file holds only this
    array, or calls it `frames` or `data`. Arrays that are not compressed stay in the file; their
    values are looked at when a video is opened.

    Args:
        path: of the file.
        check: whether a `.npz` file is compared with its checksum, as for `read_member`.

    Raises `MimError` for files that cannot be read, and for other arrays.
    """
    path = Path(path)
    is_npz = path.suffix == ".npz"
    array = read_member(path, main_key(path), check=check) if is_npz else open_array(path)
    check_frames(array, path, {4: "[N, T, H, W]", 5: "[N, T, H, W, C]"})
    if array.ndim == 4:
        array = array[..., None]
    return [ArrayVideo(f"{path}[{n}]", frames) for n, frames in enumerate(array)]


def array_frame_shape(path: str | Path) -> tuple[int, int, int]:
    """(H, W, C) of the frames of such a file, from its header. Raises as `array_recordings`."""
    is_npz = Path(path).suffix == ".npz"
    shape = member_shape(path, main_key(path)) if is_npz else open_array(path).shape
    if len(shape) not in (4, 5):
        array_recordings(path)  # which says what is wrong
    return (*shape[2:], 1)[:3]
