"""Pictures as arrays."""

import re
from pathlib import Path

import numpy as np
import PIL.Image

from mim_tf.data.files.png import check_png
from mim_tf.errors import MimError
from mim_tf.given_path import list_folder, opened

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
# Of red, green and blue in luminance, ITU-R BT.601.
LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)


def list_images(folder: str | Path) -> list[Path]:
    """The pictures directly in `folder`, sorted by name; hidden files are left out."""
    return [
        path
        for path in list_folder(folder)
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
    ]


def natural_order(path: Path) -> tuple:
    """Sorting key by which frame2 comes before frame10."""
    parts = re.split(r"(\d+)", path.name)
    # Every second part is digits; the name itself decides between frame1 and frame01.
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], path.name


def read_image(path: str | Path) -> np.ndarray:
    """A picture as `[H, W, 1]` where it is grey, otherwise `[H, W, 3]`; uint8, or uint16 if grey.

    Palettes and other colour spaces become RGB, transparency is dropped, of several pictures in a
    file the first counts. Raises `MimError` if the file is missing, damaged, too large to be a
    picture (Pillow's limit, 179 million pixels) or has levels of more than 16 bits.
    """
    with _opened(path) as file, PIL.Image.open(file) as image:
        check_png(file)
        _check_rows(image)
        if image.mode in ("I", "F"):
            raise MimError(
                f"{path}: expected levels of 8 or 16 bits, received 32 bits. Save it as PNG."
            )
        if image.mode.startswith("I;16"):
            return np.asarray(image).astype(np.uint16)[..., None]
        if image.mode in ("1", "L", "LA"):
            return np.asarray(image.convert("L"))[..., None]
        if image.mode in ("P", "PA"):
            # Straight to RGB, Pillow would warn of transparent colours in the palette.
            image = image.convert("RGBA")
        # `convert` copies, even where there is nothing to convert.
        return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def image_header(path: str | Path) -> tuple[int, int, str]:
    """(height, width, Pillow's mode) of a picture that is not decoded. Raises as `read_image`."""
    with _opened(path) as file, PIL.Image.open(file) as image:
        return image.height, image.width, image.mode


def _check_rows(image):
    """Raises `ValueError` if the parts of a picture, such as a TIFF's strips, are not all there."""
    # Pillow leaves black what has no part. Each colour may have parts of its own.
    parts = {part[1] or (0, 0, *image.size) for part in image.tile}
    found = sum((right - left) * (below - above) for left, above, right, below in parts)
    if found < image.width * image.height:
        raise ValueError("it has fewer pixels than it says")


def eight_bits(image: np.ndarray) -> np.ndarray:
    """Levels 0..65535 as 0..255, rounded; uint8 as it is."""
    return np.rint(image / 257).astype(np.uint8) if image.dtype == np.uint16 else image


def to_channels(image: np.ndarray, channels: int) -> np.ndarray:
    """uint8 `[H, W, 1]` or `[H, W, 3]` as `[H, W, channels]`.

    One channel is luminance (ITU-R BT.601, rounded); grey is repeated for three.
    """
    if image.shape[-1] == channels:
        return image
    if channels == 1:
        return np.rint(image @ LUMINANCE).astype(np.uint8)[..., None]
    return np.repeat(image, channels, axis=-1)


def resize_image(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """`[H, W, C]`, uint8 or float32, as `[height, width, C]`, bilinear.

    Shrinking averages over all pixels (Pillow's BILINEAR), so that nothing flickers.
    """
    if image.shape[:2] == (height, width):
        return image
    channels = [
        PIL.Image.fromarray(np.ascontiguousarray(channel)).resize(
            (width, height), PIL.Image.Resampling.BILINEAR
        )
        for channel in np.moveaxis(image, -1, 0)
    ]
    return np.stack([np.asarray(channel) for channel in channels], axis=-1)


def _opened(path):
    return opened(path, "a picture", f" ({', '.join(IMAGE_SUFFIXES)})")
