"""Arrays of videos, each of which is a recording."""

from pathlib import Path

import numpy as np

from mim_tf.data.files.arrays import check_unit_interval, open_array, unit_levels
from mim_tf.data.files.fit import Fit
from mim_tf.data.files.images import resize_image
from mim_tf.data.files.npz_member import read_main_member
from mim_tf.data.windows import Recording
from mim_tf.errors import MimError


class ArrayVideo(Recording):
    """One video of an array; its frames stay where they are.

    Args:
        name: of the video.
        frames: `[T, h, w, C]`, uint8 in 0..255 or float in [0, 1].
        fit: what its frames have to become; None: nothing else.
    """

    def __init__(self, name, frames, fit=None):
        self.name = name
        self.length = len(frames)
        self._frames = frames
        self._fit = fit

    def fitted(self, fit: Fit):
        """The same video with its frames resized to `fit`.

        Raises `MimError` where they have other channels or, unless `fit` resizes, another size,
        and for the first value that is NaN or outside [0, 1].
        """
        fit.check_size(self.name, self._frames.shape[1:3])
        received, expected = self._frames.shape[-1], fit.frame_shape[-1]
        if received != expected:
            raise MimError(
                f"{self.name}: expected frames of {expected} channels, received {received}. "
                f"Set img_channel to {received}."
            )
        if self._frames.dtype != np.uint8:
            check_unit_interval(self._frames, self.name, ("frame",))
        return ArrayVideo(self.name, self._frames, fit)

    def read(self, positions):
        frames = np.asarray(self._frames[positions])
        frames = unit_levels(frames) if frames.dtype == np.uint8 else frames.astype(np.float32)
        if self._fit is None:
            return frames
        height, width, _ = self._fit.frame_shape
        return np.stack([resize_image(frame, height, width) for frame in frames])


def array_recordings(path) -> list[ArrayVideo]:
    """The videos of a `.npy` or `.npz` file; the first is named "path[0]".

    The array is `[N, T, H, W]` or `[N, T, H, W, C]`, uint8 or float. A `.npz` file holds this
    array alone, or calls it `frames` or `data`. Arrays that are not compressed stay in the file;
    their values are looked at when a video is opened.

    Raises `MimError` for files that cannot be read, and for other arrays.
    """
    path = Path(path)
    array = np.asarray(read_main_member(path) if path.suffix == ".npz" else open_array(path))
    if (array.dtype != np.uint8 and array.dtype.kind != "f") or (
        array.ndim not in (4, 5) or 0 in array.shape
    ):
        raise MimError(
            f"{path}: expected videos [N, T, H, W] or [N, T, H, W, C], uint8 in 0..255 or float in "
            f"[0, 1], received {array.dtype} {list(array.shape)}. Convert and reshape it."
        )
    if array.ndim == 4:
        array = array[..., None]
    return [ArrayVideo(f"{path}[{n}]", frames) for n, frames in enumerate(array)]
