"""Pictures as arrays."""

import warnings
from pathlib import Path

import imageio.v3 as imageio
import numpy as np

from mim_tf.errors import MimError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")


def list_images(folder) -> list[Path]:
    """The pictures directly in `folder`, sorted by name; hidden files are left out."""
    return sorted(
        path
        for path in Path(folder).iterdir()
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
    )


def read_image(path) -> np.ndarray:
    """A picture as `[H, W, 1]` where it is grey, otherwise `[H, W, 3]`; uint8, or uint16 if grey.

    Palettes are resolved, transparency is dropped. Raises `MimError` where the file is missing,
    damaged or too large to be one (Pillow's limit, 179 million pixels).
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = imageio.imread(path, plugin="pillow", index=0)
    except FileNotFoundError:
        raise MimError(f"{path}: expected a picture, found no such file. Check the path.") from None
    except Exception as error:  # Pillow lets many kinds out on damaged files.
        raise MimError(
            f"{path}: expected a picture ({', '.join(IMAGE_SUFFIXES)}), received a file that "
            f"cannot be read as one ({error}). Save or download it again."
        ) from None
    if image.dtype == bool:
        image = image.astype(np.uint8) * 255
    if image.ndim == 2:
        image = image[..., None]
    if image.dtype not in (np.uint8, np.uint16):
        raise MimError(f"{path}: expected levels of 8 or 16 bits, received {image.dtype}.")
    # Grey with transparency has two channels, colour with transparency four.
    return image[..., :3] if image.shape[-1] > 2 else image[..., :1]
