"""Frames of one shape from pictures of any."""

import dataclasses

import numpy as np

from mim_tf.data.files.images import eight_bits, resize_image, to_channels
from mim_tf.errors import MimError


@dataclasses.dataclass(frozen=True)
class Fit:
    """What pictures have to become, or arrays to be.

    Attributes:
        frame_shape: (H, W, C) of every frame.
        resize: whether other heights and widths are resized to it, or refused.
    """

    frame_shape: tuple[int, int, int]
    resize: bool = False

    def check_size(self, name, size) -> None:
        """Raises `MimError` where frames of `size`, (height, width), cannot become H x W."""
        height, width, _ = self.frame_shape
        if not self.resize and tuple(size) != (height, width):
            raise MimError(
                f"{name}: expected frames of {height} x {width} pixels (height x width), received "
                f"{size[0]} x {size[1]}. Give --resize, or set img_height and img_width to these."
            )

    def check_channels(self) -> None:
        """Raises `MimError` where pictures cannot have C channels."""
        if self.frame_shape[-1] not in (1, 3):
            raise MimError(
                "Videos and images have 1 channel (grey) or 3 (RGB), received img_channel = "
                f"{self.frame_shape[-1]}. Set it to 1 or 3."
            )

    def picture(self, name, image) -> np.ndarray:
        """uint8 or uint16 `[h, w, 1]` or `[h, w, 3]` as uint8 `[H, W, C]`.

        Raises `MimError` as `check_size`.
        """
        self.check_size(name, image.shape[:2])
        height, width, channels = self.frame_shape
        return resize_image(to_channels(eight_bits(image), channels), height, width)
