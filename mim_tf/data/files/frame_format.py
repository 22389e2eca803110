"""Frames of one shape from pictures of any."""

import dataclasses

import numpy as np

from mim_tf.data.files.images import eight_bits, resize_image, to_channels
from mim_tf.errors import MimError


@dataclasses.dataclass(frozen=True)
class FrameFormat:
    """What frames have to be, and whether those of another size are resized or refused.

    Attributes:
        frame_shape: (H, W, C) of every frame, the model's.
        resize: whether other heights and widths are resized to it.
        any_range: whether floats may have any value, NaN too.
    """

    frame_shape: tuple[int, int, int]
    resize: bool = False
    any_range: bool = False

    def check_size(self, name: str, size: tuple[int, int]) -> None:
        """Raises `MimError` if frames of `size`, (height, width), cannot become H x W."""
        height, width, _ = self.frame_shape
        if not self.resize and tuple(size) != (height, width):
            raise MimError(
                f"{name}: expected frames of {height} x {width} pixels (height x width), as the "
                f"model's are, received {size[0]} x {size[1]}. Give --resize, or train a model "
                "with img_height and img_width set to these."
            )

    def check_picture_channels(self, name: str) -> None:
        """Raises `MimError` if pictures cannot have C channels."""
        if self.frame_shape[-1] not in (1, 3):
            raise MimError(
                f"{name}: videos and images have 1 channel (grey) or 3 (RGB), the model's frames "
                f"img_channel = {self.frame_shape[-1]}. Set it to 1 or 3, or give arrays."
            )

    def check_array_channels(self, name: str, channels: int) -> None:
        """Raises `MimError` if the frames of an array do not have C channels."""
        if channels != self.frame_shape[-1]:
            raise MimError(
                f"{name}: expected frames of {self.frame_shape[-1]} channels, as the model's are, "
                f"received {channels}. Convert the array, or set img_channel to {channels}."
            )

    def convert(self, name: str, image: np.ndarray) -> np.ndarray:
        """uint8 or uint16 `[h, w, 1]` or `[h, w, 3]` as uint8 `[H, W, C]`.

        Raises `MimError` as `check_size` does.
        """
        self.check_size(name, image.shape[:2])
        height, width, channels = self.frame_shape
        return resize_image(to_channels(eight_bits(image), channels), height, width)
