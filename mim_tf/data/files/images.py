"""Pictures as arrays: read, converted to the model's frames, resized and pooled."""

import dataclasses
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import PIL.ExifTags
import PIL.Image
import PIL.ImageOps
import PIL.ImageSequence

from mim_tf.errors import MimError
from mim_tf.storage.paths import list_folder, opened

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of red, green and blue in luminance, ITU-R BT.601."""

_NUMBERS = re.compile(r"(\d+(?:\.\d+)*)")
_LIGHT = PIL.ExifTags.Base.PhotometricInterpretation
_ORIENTED = {"exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp"}
"""Pillow's names of what may have an orientation."""


@dataclasses.dataclass(frozen=True)
class FrameFormat:
    """The (H, W, C) that frames must have, whether other sizes are resized or refused, and
    whether floats may have any value, NaN too.
    """

    frame_shape: tuple[int, int, int]
    resize: bool = False
    any_range: bool = False

    def check_size(self, name: str | Path, size: tuple[int, ...]) -> None:
        """Raise `MimError` if frames of `size`, (height, width), cannot become H x W."""
        height, width, _ = self.frame_shape
        if not self.resize and tuple(size) != (height, width):
            raise MimError(
                f"{name}: Expected the model's {height} x {width} pixels (height x width), got "
                f"{size[0]} x {size[1]}. Give --resize, or set --img_height and --img_width."
            )

    def check_channels(self, name: str | Path, possible: tuple[int, ...]) -> None:
        """Raise `MimError` if frames of any of the `possible` numbers of channels are not C."""
        if self.frame_shape[-1] not in possible:
            raise MimError(
                f"{name}: Expected the model's {self.frame_shape[-1]} channels, got "
                f"{' or '.join(map(str, possible))}. Set --img_channel, or convert the frames."
            )

    def convert(self, name: str, image: np.ndarray) -> np.ndarray:
        """Return what `read_image` read with H, W and C of this form, uint8 or uint16 as before."""
        self.check_size(name, image.shape[:2])
        height, width, channels = self.frame_shape
        if image.dtype == np.uint8:
            return resize_image(to_channels(image, channels), height, width)
        resized = resize_image(image.astype(np.float32), height, width)
        return to_channels(np.rint(resized).astype(np.uint16), channels)


def list_images(folder: str | Path) -> list[Path]:
    """Return the pictures directly in `folder`, in natural order, without hidden files."""
    paths = [path for path in list_folder(folder) if not path.name.startswith(".")]
    return in_natural_order(path for path in paths if path.suffix.lower() in IMAGE_SUFFIXES)


def in_natural_order(paths: Iterable[Path]) -> list[Path]:
    """Sort paths by name so that frame2 is before frame10, and 0.25 before 0.5.

    If names count past a point, such as 1.9 and 1.10, the digits after it are a number of their
    own.
    """
    paths = list(paths)
    found = [each.split(".") for path in paths for each in _NUMBERS.findall(path.name)]
    after = {each[1] for each in found if len(each) == 2}
    counts_past_9 = any({f"{n - 1}", f"{n}"} <= after for n in (10, 100, 1000))

    def number(text):
        whole, *others = text.split(".")
        if len(others) == 1 and not counts_past_9:
            return [(int(whole), others[0])]  # digits after a point compare as text
        return [(int(each), "") for each in (whole, *others)]

    def key(path):
        parts = _NUMBERS.split(path.name)
        # Every second part is a number; the name itself decides between frame1 and frame01.
        return [number(part) if n % 2 else part for n, part in enumerate(parts)], path.name

    return sorted(paths, key=key)


def read_image(path: str | Path) -> np.ndarray:
    """Read a picture as `[H, W, 1]` if it is grey, else `[H, W, 3]`; uint8, or uint16 if grey.

    It is turned upright as its EXIF orientation says, and transparency is as in `flat`. Palettes
    and other colour spaces become RGB. Raises `MimError` if the file is missing, corrupted, larger
    than Pillow's limit (179 million pixels), has several pictures, or other values than levels of
    8 or 16 bits.
    """
    with _opened(path) as file:
        with PIL.Image.open(file) as image:
            image.verify()  # Reading alone does not compare the checksums of a PNG's pixels.
        file.seek(0)
        with PIL.Image.open(file) as image:
            _check_single(path, image)
            if image.format != "WEBP":  # which is decoded as a whole
                _check_parts(image)
            _check_levels(path, image)
            levels = flat(PIL.ImageOps.exif_transpose(image))
            # Pillow inverts a TIFF of 8 bits itself.
            is_negative = levels.dtype == np.uint16 and not _tiff_tag(image, _LIGHT, 1)
            return ~levels if is_negative else levels


def image_header(path: str | Path) -> tuple[int, int, str]:
    """Return (height, width, Pillow's mode) of a picture, upright, without decoding it.

    The mode ends in ";16" where only the upper 8 of 16 bits are read. It is "LA" also where one
    grey level is transparent.
    """
    with _opened(path) as file, PIL.Image.open(file) as image:
        _check_single(path, image)
        size = image.height, image.width
        # Pillow turns a TIFF itself. Without these keys `getexif` would decode a PNG.
        has_exif = image.format != "TIFF" and not _ORIENTED.isdisjoint(image.info)
        is_turned = has_exif and image.getexif().get(PIL.ExifTags.Base.Orientation, 1) > 4
        is_cut = image.mode[0] != "I" and any(";16" in str(part[3]) for part in image.tile)
        mode = "LA" if image.mode == "L" and image.has_transparency_data else image.mode
        return *(size[::-1] if is_turned else size), mode + (";16" if is_cut else "")


def flat(image: PIL.Image.Image) -> np.ndarray:
    """Return a picture as an array without transparency, which becomes black.

    A pixel that is half transparent becomes half as bright.
    """
    if image.mode.startswith("I;16"):
        levels = np.asarray(image).astype(np.uint16)[..., None]
        return np.where(levels == image.info.get("transparency", -1), np.uint16(0), levels)
    is_grey = image.mode in ("1", "L", "LA")
    if image.has_transparency_data:
        picture = image.convert("RGBA")
        black = PIL.Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = PIL.Image.alpha_composite(black, picture)
    levels = np.asarray(image.convert("L" if is_grey else "RGB"))
    return levels[..., None] if is_grey else levels


def _check_single(path, image):
    """Raise `MimError` for a file of several pictures, of which Pillow reads the first.

    Smaller ones are previews of it, such as the overviews of a TIFF or the gain map of a phone.
    """
    count = getattr(image, "n_frames", 1)
    if count == 1:
        return
    with _opened(path) as file, PIL.Image.open(file) as pages:
        sizes = [page.width * page.height for page in PIL.ImageSequence.Iterator(pages)]
    if max(sizes[1:]) >= sizes[0]:
        raise MimError(
            f"{path}: expected one frame in a picture file, got {count} ({image.format}). Save "
            "each frame as a file of its own, or the recording as a video, GIF or .npy file."
        )


def _check_levels(path, image):
    """Raise `MimError` for floats, 32 bits and numbers with a sign, instead of levels."""
    has_sign = 2 in _tiff_tag(image, PIL.ExifTags.Base.SampleFormat, ())
    if image.mode in ("I", "F") or has_sign:
        found = "floats" if image.mode == "F" else f"{'signed' if has_sign else '32-bit'} integers"
        raise MimError(
            f"{path}: expected levels of 8 or 16 bits, got {found}. Save the recordings as one "
            ".npy file of floats [N, T, H, W], for --dataset=array --scale=minmax."
        )


def _tiff_tag(image, tag, default):
    return getattr(image, "tag_v2", {}).get(tag, default)


def _check_parts(image):
    """Raise `ValueError` if parts of a picture are missing, such as a TIFF's strips."""
    # Pillow leaves black what has no part. Each colour may have parts of its own.
    parts = {part[1] or (0, 0, *image.size) for part in image.tile}
    found = sum((right - left) * (below - above) for left, above, right, below in parts)
    if found < image.width * image.height:
        raise ValueError("it has fewer pixels than it declares")


def eight_bits(image: np.ndarray) -> np.ndarray:
    """Return levels 0..65535 as 0..255, rounded, and uint8 unchanged."""
    return np.rint(image / 257).astype(np.uint8) if image.dtype == np.uint16 else image


def to_channels(image: np.ndarray, channels: int) -> np.ndarray:
    """Convert `[H, W, 1]`, or `[H, W, 3]` of uint8, to 1 channel (rounded luminance) or 3."""
    if image.shape[-1] == channels:
        return image
    if channels == 1:
        return np.rint(image @ LUMINANCE).astype(np.uint8)[..., None]
    return np.repeat(image, channels, axis=-1)


def resize_image(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize `[H, W, C]`, uint8 or float32, by bilinear interpolation with antialiasing."""
    if image.shape[:2] == (height, width):
        return image
    pictures = [PIL.Image.fromarray(np.ascontiguousarray(c)) for c in np.moveaxis(image, -1, 0)]
    bilinear = PIL.Image.Resampling.BILINEAR
    return np.stack([np.asarray(p.resize((width, height), bilinear)) for p in pictures], axis=-1)


def _opened(path):
    kinds = f" ({', '.join(IMAGE_SUFFIXES)})"
    return opened(path, "a picture", kinds, remedy="Save it as PNG, or download it again.")


def pooling_factors(name: str, size: tuple[int, int], wanted: tuple[int, int]) -> tuple[int, int]:
    """Return how many rows and columns of frames of `size` become one in frames of `wanted`."""
    if any(ours % theirs or ours < theirs for ours, theirs in zip(size, wanted, strict=True)):
        raise MimError(
            f"{name}: Expected --img_height and --img_width to be a whole fraction of "
            f"{size[0]} x {size[1]}, got {wanted[0]} x {wanted[1]}."
        )
    return size[0] // wanted[0], size[1] // wanted[1]


def pooled(frames: np.ndarray, factors: tuple[int, int], largest: bool) -> np.ndarray:
    """Return the largest value or the mean of blocks of frames `[T, H, W]`, ignoring NaN.

    A block is `factors` rows and columns; it is NaN if all of its values are.
    """
    if factors == (1, 1):
        return frames
    length, height, width = frames.shape
    rows, columns = factors
    blocks = frames.reshape(length, height // rows, rows, width // columns, columns)
    if largest:
        return np.fmax.reduce(blocks, axis=(2, 4))
    known = ~np.isnan(blocks)
    with np.errstate(invalid="ignore"):  # 0 / 0 is NaN, as it should be.
        means = np.nansum(blocks, axis=(2, 4)) / known.sum(axis=(2, 4))
    return means.astype(frames.dtype)
