"""Frames side by side in one PNG, embedded in the page."""

import base64
import io

import numpy as np
from PIL import Image

WIDEST = 16000
"""Pixels; what browsers decode on a phone too."""


def sprite(frames: np.ndarray, reduction: int = 1) -> str:
    """A data URI of RGB frames `[T, H, W, 3]`, uint8, next to each other.

    Args:
        frames: in the order of time.
        reduction: the factor by which height and width are divided.
    """
    row = np.concatenate([_reduced(frame, reduction) for frame in frames], axis=1)
    is_grey = (row == row[..., :1]).all()
    picture = Image.fromarray(np.ascontiguousarray(row[..., 0]) if is_grey else row)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def least_reduction(frames: int, width: int) -> int:
    """The smallest power of two with which a sprite is at most `WIDEST`."""
    reduction = 1
    while frames * width / reduction > WIDEST:
        reduction *= 2
    return reduction


def _reduced(frame, reduction):
    if reduction == 1:
        return frame
    height, width = (max(1, size // reduction) for size in frame.shape[:2])
    return np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.BOX))
