"""Frames made smaller by whole numbers of pixels."""

import numpy as np

from mim_tf.errors import MimError


def pooling_factors(name: str, size: tuple[int, int], wanted: tuple[int, int]) -> tuple[int, int]:
    """How many rows and columns become one.

    Args:
        name: of the data, for the message.
        size: (height, width) of the frames.
        wanted: the model's.

    Raises:
        MimError: `size` is no whole multiple of `wanted`.
    """
    if any(ours % theirs or ours < theirs for ours, theirs in zip(size, wanted, strict=True)):
        raise MimError(
            f"{name}: frames of {size[0]} x {size[1]} pixels can be resized to a whole fraction of "
            f"that alone, such as {size[0] // 2} x {size[1] // 2}, received {wanted[0]} x "
            f"{wanted[1]}. Change img_height and img_width."
        )
    return size[0] // wanted[0], size[1] // wanted[1]


def pooled(
    frames: np.ndarray, missing: np.ndarray, factors: tuple[int, int], largest: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Squares of frames `[T, H, W]` as one pixel each, and where all of a square is missing.

    Args:
        frames: floats of at least 0.
        missing: where they are missing, of the same shape.
        factors: rows and columns that become one.
        largest: whether the largest value of a square is taken, else the mean of what is known.
    """
    if factors == (1, 1):
        return np.where(missing, 0, frames), missing
    length, height, width = frames.shape
    rows, columns = factors
    squares = length, height // rows, rows, width // columns, columns
    known = ~missing.reshape(squares)
    values = np.where(known, frames.reshape(squares), 0)
    count = known.sum(axis=(2, 4))
    if largest:
        return values.max(axis=(2, 4)), count == 0
    means = values.sum(axis=(2, 4)) / np.maximum(count, 1)
    return means.astype(frames.dtype), count == 0
