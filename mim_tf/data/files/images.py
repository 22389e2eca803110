"""Frames of one shape from pictures of any."""

import dataclasses
import os
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import PIL.Image

from mim_tf.errors import MimError
from mim_tf.storage.paths import list_folder, opened


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


# MERGED: Whether a PNG file holds all that it says it does.


_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# First column and row of each pass of an interlaced picture, and the steps between them (Adam7).
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2))
_PASSES += ((0, 1, 1, 2),)
_BLOCK = 2**20


def check_png(file: BinaryIO) -> None:
    """Raises `ValueError` if a PNG's checksums are wrong, or it has fewer rows than it says.

    Pillow looks at neither in the part that holds the pixels: missing rows would be black. Other
    files are not looked at.
    """
    position = file.tell()
    file.seek(0)
    if file.read(len(_SIGNATURE)) == _SIGNATURE:
        _check_chunks(file)
    file.seek(position)


def _check_chunks(file):
    expected, found, unpack = 0, 0, zlib.decompressobj()
    for kind, data in _chunks(file):
        if kind == b"IHDR":
            expected = _bytes_of_pixels(*struct.unpack(">IIBBxxB", data))
        elif kind == b"IDAT":
            for block in _unpacked(unpack, data):
                found += len(block)
                if found > expected:  # nobody reads what is behind the last row
                    break
    if found < expected or (found == expected and not unpack.eof):
        raise ValueError(f"it has {found} of {expected} bytes of pixels")


def _chunks(file) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of each chunk up to the last, once its checksum is compared."""
    kind, length = b"", os.fstat(file.fileno()).st_size
    while kind != b"IEND":
        size, kind = struct.unpack(">I4s", file.read(8))
        if size > length:
            raise ValueError("it ends early")
        data = file.read(size)
        if file.read(4) != struct.pack(">I", zlib.crc32(kind + data)):
            raise ValueError("its checksum is wrong")
        yield kind, data


def _unpacked(unpack, data) -> Iterator[bytes]:
    while data and not unpack.eof:
        yield unpack.decompress(data, _BLOCK)
        data = unpack.unconsumed_tail


def _bytes_of_pixels(width, height, depth, color, interlaced):
    bits = depth * _CHANNELS[color]
    passes = _PASSES if interlaced else ((0, 0, 1, 1),)
    total = 0
    for column, row, across, down in passes:
        columns, rows = -(-(width - column) // across), -(-(height - row) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + -(-columns * bits // 8))
    return total


# MERGED: Pictures as arrays.


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


# MERGED: Frames made smaller by whole numbers of pixels.


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
