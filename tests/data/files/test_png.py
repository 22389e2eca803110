import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from mim_tf.data.files.images import read_image
from mim_tf.errors import MimError


def written(path, image, **options):
    image.save(path, **options)
    return path


def picture(mode, width=13, height=9):
    levels = np.random.default_rng(0).integers(0, 256, (height, width, 4), np.uint8)
    return Image.fromarray(levels, "RGBA").convert("L" if mode == "I;16" else mode).convert(mode)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(rows, width=3, height=4, interlaced=0):
    """A PNG of `rows` rows of grey; each begins with a byte for its filter."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, interlaced)
    levels = zlib.compress((b"\0" + b"\x80" * width) * rows)
    chunks = (b"IHDR", header), (b"IDAT", levels[:5]), (b"IDAT", levels[5:]), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_kind_of_whole_picture_is_read(tmp_path, mode):
    assert read_image(written(tmp_path / "a.png", picture(mode))).shape[:2] == (9, 13)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (3, 2), (8, 8), (13, 9)])
def test_interlaced_pictures_are_read(tmp_path, width, height):
    from mim_tf.data.files.images import _bytes_of_pixels

    # The passes hold each pixel once, and a byte for each of their rows.
    rows = _bytes_of_pixels(width, height, 8, 0, 1) - width * height
    assert 1 <= rows <= 2 * height + 3
    assert _bytes_of_pixels(width, height, 8, 0, 0) == (width + 1) * height


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_rows_that_are_missing_are_not_black(tmp_path, rows):
    (tmp_path / "a.png").write_bytes(png(rows))
    with pytest.raises(MimError, match=rf"a\.png: expected a picture.*it has {4 * rows} of 16"):
        read_image(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes(png(4))
    assert read_image(tmp_path / "a.png").min() == 128


def test_pixels_are_compared_with_their_checksum(tmp_path):
    content = bytearray(png(4))
    content[content.index(b"IDAT") + 6] ^= 1
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(MimError, match="its checksum is wrong"):
        read_image(tmp_path / "a.png")


def test_strips_of_a_tiff_that_are_missing(tmp_path):
    file = io.BytesIO()
    picture("L", 16, 64).save(file, format="TIFF", tiffinfo={278: 16})
    content = bytearray(file.getvalue())
    entry = content.index(struct.pack("<HHI", 273, 4, 4))  # offsets of four strips
    content[entry + 4 : entry + 8] = struct.pack("<I", 2)
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(MimError, match="it has fewer pixels than it says"):
        read_image(tmp_path / "a.tif")
