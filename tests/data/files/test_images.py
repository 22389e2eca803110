import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from mim_tf.data.files.images import (
    eight_bits,
    image_header,
    list_images,
    natural_order,
    pooled,
    read_image,
    resize_image,
)
from mim_tf.errors import MimError


def colours(height=4, width=6):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_pictures_of_a_folder_are_listed_by_name(tmp_path):
    for name in ("b.PNG", "a.jpeg", "c.tiff", ".hidden.png", "._a.jpg", "a.txt", "a.mp4"):
        (tmp_path / name).touch()
    assert [path.name for path in list_images(tmp_path)] == ["a.jpeg", "b.PNG", "c.tiff"]


def test_numbers_in_names_count_as_numbers(tmp_path):
    names = ["7", "a", "frame02", "frame2", "frame2b", "frame2²", "frame10", "x1y2", "x01y3"]
    paths = [tmp_path / name for name in sorted(names)]
    assert [path.name for path in sorted(paths, key=natural_order)] == names


@pytest.mark.parametrize(
    ("mode", "suffix", "channels"),
    [
        ("RGB", "png", 3),
        ("RGB", "bmp", 3),
        ("RGB", "tif", 3),
        ("RGBA", "png", 3),
        ("CMYK", "tif", 3),
        ("L", "png", 1),
        ("LA", "png", 1),
    ],
)
def test_grey_and_colour(tmp_path, mode, suffix, channels):
    original = Image.fromarray(colours())
    original.convert(mode).save(tmp_path / f"a.{suffix}")
    got = read_image(tmp_path / f"a.{suffix}")
    expected = np.asarray(original if channels == 3 else original.convert("L"))
    assert got.dtype == np.uint8
    np.testing.assert_array_equal(got, expected.reshape(4, 6, channels))
    assert image_header(tmp_path / f"a.{suffix}")[:2] == (4, 6)


def test_palette_with_transparency(tmp_path):
    picture = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8), "P")
    picture.putpalette([10, 20, 30, 200, 210, 220])
    picture.save(tmp_path / "a.png", transparency=bytes([0, 128]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(got[0], [[10, 20, 30], [200, 210, 220]])


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits(tmp_path, suffix):
    levels = np.array([[0, 128, 129, 30_000, 65_406, 65_407, 65_535]], np.uint16)
    Image.fromarray(levels).save(tmp_path / f"a.{suffix}")
    got = read_image(tmp_path / f"a.{suffix}")
    assert got.dtype == np.uint16
    np.testing.assert_array_equal(got[..., 0], levels)
    # 65535 / 255 = 257 levels to one.
    np.testing.assert_array_equal(eight_bits(got)[..., 0], [[0, 0, 1, 117, 254, 255, 255]])


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_shrinking_looks_at_every_pixel(dtype):
    image = np.zeros((8, 8, 2), dtype)
    image[3, 3, 1] = 255
    small = resize_image(image, 2, 2)
    assert (small.shape, small.dtype) == ((2, 2, 2), dtype)
    assert not small[..., 0].any()
    # The centre of the first small pixel is at 2; weights fall linearly to 0 at a distance of 4:
    # 1 - 1.5 / 4 for pixel 0, whose centre is at 0.5, to 1 - 3.5 / 4 for pixel 5, 3.5 in all.
    expected = 255 * ((1 - 1.5 / 4) / 3.5) ** 2
    np.testing.assert_allclose(
        small[0, 0, 1], round(expected) if dtype == np.uint8 else expected, rtol=1e-6
    )
    ones = np.ones((7, 5, 1), np.float32)
    np.testing.assert_array_equal(resize_image(ones, 9, 3), np.ones((9, 3, 1)))


# Corrupted pictures; see also test_faults.py.


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png():
    """A PNG of 3 x 4 grey pixels, in two chunks of pixels."""
    header = struct.pack(">IIBBBBB", 3, 4, 8, 0, 0, 0, 0)
    levels = zlib.compress((b"\0" + b"\x80" * 3) * 4)
    chunks = (b"IHDR", header), (b"IDAT", levels[:5]), (b"IDAT", levels[5:]), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


def test_pixels_are_compared_with_their_checksum(tmp_path):
    (tmp_path / "a.png").write_bytes(png())
    assert read_image(tmp_path / "a.png").min() == 128
    content = bytearray(png())
    content[content.index(b"IDAT") + 6] ^= 1
    # A PNG without its second chunk of pixels, or without its end, lacks rows that would be black.
    second = content.rindex(b"IDAT") - 4
    end = content.rindex(b"IEND") - 4
    for damaged in (content, png()[:second] + png()[end:], png()[:end]):
        (tmp_path / "a.png").write_bytes(damaged)
        with pytest.raises(MimError, match=r"a\.png"):
            read_image(tmp_path / "a.png")


def test_strips_of_a_tiff_that_are_missing(tmp_path):
    file = io.BytesIO()
    picture = Image.fromarray(np.zeros((64, 16), np.uint8))
    picture.save(file, format="TIFF", tiffinfo={278: 16})
    content = bytearray(file.getvalue())
    entry = content.index(struct.pack("<HHI", 273, 4, 4))  # offsets of four strips
    content[entry + 4 : entry + 8] = struct.pack("<I", 2)
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(MimError, match=r"a\.tif"):
        read_image(tmp_path / "a.tif")


def test_unreadable_pictures_are_refused(tmp_path):
    Image.fromarray(np.zeros((2, 2), np.float32)).save(tmp_path / "32bits.tif")
    Image.fromarray(colours()).save(tmp_path / "bomb.bmp")
    content = bytearray((tmp_path / "bomb.bmp").read_bytes())
    content[18:26] = (60_000).to_bytes(4, "little") * 2
    (tmp_path / "bomb.bmp").write_bytes(content)
    for name in ("32bits.tif", "bomb.bmp", "missing.png", "."):
        with pytest.raises(MimError, match=(tmp_path / name).name):
            read_image(tmp_path / name)


# Pooling.

BLOCKS = np.arange(1.0, 25).reshape(1, 4, 6).astype(np.float32)


@pytest.mark.parametrize(
    ("largest", "expected", "known"),
    [(True, [[9, 12], [21, 24]], 9), (False, [[5, 8], [17, 20]], (7 + 8 + 9) / 3)],
)
def test_blocks_become_their_largest_value_or_their_mean(largest, expected, known):
    values = pooled(BLOCKS, (2, 3), largest)
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values[0], expected)
    frames = BLOCKS.copy()
    frames[0, 0, :3] = frames[0, :2, 3:] = np.nan
    np.testing.assert_array_equal(pooled(frames, (2, 3), largest)[0, 0], [known, np.nan])
    np.testing.assert_array_equal(pooled(frames, (1, 1), largest), frames)
