import io
import struct
import warnings

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from mim_tf.data.files.images import (
    FrameFormat,
    eight_bits,
    image_header,
    in_natural_order,
    list_images,
    pooled,
    read_image,
    resize_image,
)
from mim_tf.errors import MimError
from tests.data_examples import levels
from tests.small_pictures import png

COLOURS = levels(4, 6, 3)


def test_pictures_of_a_folder_are_listed_by_name(tmp_path):
    for name in ("b.PNG", "a.jpeg", "c.tiff", ".hidden.png", "._a.jpg", "a.txt", "a.mp4"):
        (tmp_path / name).touch()
    assert [path.name for path in list_images(tmp_path)] == ["a.jpeg", "b.PNG", "c.tiff"]


@pytest.mark.parametrize(
    "names",
    [
        ["7", "a", "frame02", "frame2", "frame2b", "frame2²", "frame10", "x1y2", "x01y3"],
        ["t0.125.png", "t0.25.png", "t0.5.png", "t1.0.png", "t2.png", "t10.png"],
        [f"camera1.{n}.png" for n in range(1, 12)],  # 1.10 after 1.9 is no decimal
        [f"camera1.{n}.png" for n in range(95, 106)],
        ["2020.1.2.mp4", "2020.1.11.mp4", "2020.10.1.mp4"],
        ["radar.20200101.0050.npy", "radar.20200101.0100.npy", "radar.20200102.0000.npy"],
    ],
)
def test_numbers_in_names_count_as_numbers(tmp_path, names):
    paths = [tmp_path / name for name in sorted(names, reverse=True)]
    assert [path.name for path in in_natural_order(paths)] == names


@pytest.mark.parametrize(
    "name", ["RGB.png", "P.png", "RGB.bmp", "RGB.tif", "RGBA.png", "CMYK.tif", "L.png", "LA.png"]
)
def test_grey_and_colour(tmp_path, name):
    mode, path = name.partition(".")[0], tmp_path / name
    original = Image.fromarray(COLOURS)
    if mode == "P":
        original = original.convert("P").convert("RGB")
    original.convert(mode).save(path)
    expected = np.asarray(original.convert("L" if mode in ("L", "LA") else "RGB"))
    got = read_image(path)
    assert got.dtype == np.uint8
    np.testing.assert_array_equal(got, expected.reshape(4, 6, -1))
    assert image_header(path)[:2] == (4, 6)


PALETTE = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
PALETTE.putpalette([10, 20, 30, 200, 100, 50])


@pytest.mark.parametrize(
    ("picture", "options", "expected"),
    [
        (PALETTE, {"transparency": bytes([0, 102])}, [[0, 0, 0], [80, 40, 20]]),
        (Image.new("RGBA", (1, 1), (200, 100, 50, 102)), {}, [[80, 40, 20]]),
        (Image.new("LA", (1, 1), (200, 102)), {}, [[80]]),
        (Image.fromarray(np.array([[7, 8]], np.uint8)), {"transparency": 7}, [[0], [8]]),
        (Image.new("RGB", (1, 1), (7, 8, 9)), {"transparency": (7, 8, 9)}, [[0, 0, 0]]),
        (Image.fromarray(np.array([[7, 800]], np.uint16)), {"transparency": 7}, [[0], [800]]),
    ],
)
def test_what_is_transparent_is_black(tmp_path, picture, options, expected):
    picture.save(tmp_path / "a.png", **options)  # 102 of 255 is 0.4
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(read_image(tmp_path / "a.png")[0], expected)


TURNED = {  # EXIF orientation -> rows and columns as shown, of [[1, 2, 3], [4, 5, 6]] as stored
    2: [[3, 2, 1], [6, 5, 4]],
    3: [[6, 5, 4], [3, 2, 1]],
    4: [[4, 5, 6], [1, 2, 3]],
    5: [[1, 4], [2, 5], [3, 6]],
    6: [[4, 1], [5, 2], [6, 3]],
    7: [[6, 3], [5, 2], [4, 1]],
    8: [[3, 6], [2, 5], [1, 4]],
}


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize(
    ("suffix", "dtype"),
    [*((each, np.uint8) for each in ("png", "tif", "webp", "jpg")), ("png", "u2"), ("tif", "u2")],
)
def test_pictures_are_turned_upright(tmp_path, orientation, suffix, dtype):
    exif = Image.Exif()
    exif[274] = orientation
    stored = np.array([[1, 2, 3], [4, 5, 6]], dtype).repeat(8, 0).repeat(8, 1) * 40
    options = {"lossless": True} if suffix == "webp" else {}
    Image.fromarray(stored).save(tmp_path / f"a.{suffix}", exif=exif, **options)
    got = read_image(tmp_path / f"a.{suffix}")
    np.testing.assert_allclose(got[::8, ::8, 0] / 40.0, TURNED[orientation], atol=0.1)
    assert image_header(tmp_path / f"a.{suffix}")[:2] == got.shape[:2]


PACKET = '<x:xmpmeta xmlns:x="adobe:ns:meta/" tiff:Orientation="6"/>'


@pytest.mark.parametrize("key", ["XML:com.adobe.xmp", "Raw profile type exif"])
def test_headers_know_orientations_that_are_not_in_exif(tmp_path, key):
    """ImageMagick and Adobe write them as texts of a PNG."""
    exif = Image.Exif()
    exif[274] = 6
    content = exif.tobytes()
    text = f"\nexif\n{len(content)}\n{content.hex()}" if "exif" in key else PACKET
    texts = PngInfo()
    texts.add_itxt(key, text)
    Image.fromarray(COLOURS).save(tmp_path / "a.png", pnginfo=texts)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.rot90(COLOURS, -1))
    assert image_header(tmp_path / "a.png")[:2] == (6, 4)


@pytest.mark.parametrize("suffix", ["tif", "png", "webp", "mpo"])
def test_several_pictures_in_a_file_are_refused(tmp_path, suffix):
    # Pillow 11.0 writes wrong MPO files of more than two.
    frames = [Image.fromarray(COLOURS // (n + 1)) for n in range(2)]
    path = tmp_path / f"a.{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    for read in (read_image, image_header):
        with pytest.raises(MimError, match=r"a\.\w+: expected one frame .*, got 2"):
            read(path)


@pytest.mark.parametrize("suffix", ["tif", "mpo"])
def test_previews_of_a_picture_are_left_out(tmp_path, suffix):
    picture, path = Image.fromarray(np.full((16, 24), 80, np.uint8)), tmp_path / f"a.{suffix}"
    picture.save(path, save_all=True, append_images=[picture.resize((12, 8))])
    np.testing.assert_array_equal(read_image(path), np.full((16, 24, 1), 80))
    assert image_header(path)[:2] == (16, 24)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits(tmp_path, suffix):
    stored = np.array([[0, 128, 129, 30_000, 65_406, 65_407, 65_535]], np.uint16)
    Image.fromarray(stored).save(tmp_path / f"a.{suffix}")
    got = read_image(tmp_path / f"a.{suffix}")
    assert got.dtype == np.uint16
    np.testing.assert_array_equal(got[..., 0], stored)
    # 65535 / 255 = 257 levels to one.
    np.testing.assert_array_equal(eight_bits(got)[..., 0], [[0, 0, 1, 117, 254, 255, 255]])
    kept = FrameFormat((1, 7, 3)).convert("a", got)
    np.testing.assert_array_equal(kept, np.repeat(stored[..., None], 3, axis=-1))
    # Halves of pixels: the mean of two, as of every dtype.
    pairs = np.array([[[1000], [1002], [5000], [7000]]], np.uint16)
    np.testing.assert_array_equal(
        FrameFormat((1, 2, 1), resize=True).convert("a", pairs),
        np.rint(resize_image(pairs.astype(np.float32), 1, 2)),
    )


def test_black_can_be_the_largest_level_of_a_tiff(tmp_path):
    stored = np.array([[0, 1, 65_535]], np.uint16)
    Image.fromarray(stored).save(tmp_path / "a.tif", tiffinfo={262: 0})
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif")[0, :, 0], [65_535, 65_534, 0])


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float32])
def test_a_tiff_of_other_values_than_levels_is_refused(tmp_path, dtype):
    path, tags = tmp_path / "a.tif", ImageFileDirectory_v2()
    tags[65_000], tags.tagtype[65_000] = 2, 3
    Image.fromarray(np.array([[1, 7]], dtype)).save(path, tiffinfo=tags)
    # The tag becomes the one that makes 8 bits signed, which Pillow does not look at.
    path.write_bytes(path.read_bytes().replace(struct.pack("<H", 65_000), struct.pack("<H", 339)))
    with pytest.raises(MimError, match=r"a\.tif: .*--dataset=array"):
        read_image(path)


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


def test_pixels_are_compared_with_their_checksum(tmp_path):
    whole = png(3, 4, (b"\0" + b"\x80" * 3) * 4)
    (tmp_path / "a.png").write_bytes(whole)
    assert read_image(tmp_path / "a.png").min() == 128
    changed = bytearray(whole)
    changed[whole.index(b"IDAT") + 6] ^= 1
    # A PNG without its second chunk of pixels, or without its end, lacks rows that would be black.
    second, end = (whole.rindex(kind) - 4 for kind in (b"IDAT", b"IEND"))
    for damaged in (changed, whole[:second] + whole[end:], whole[:end]):
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
    Image.fromarray(COLOURS).save(tmp_path / "bomb.bmp")
    content = bytearray((tmp_path / "bomb.bmp").read_bytes())
    content[18:26] = (60_000).to_bytes(4, "little") * 2
    (tmp_path / "bomb.bmp").write_bytes(content)
    (tmp_path / "a.jpg").write_bytes(b"\0\0\0\x18ftypheic")  # as phones name them
    with pytest.raises(MimError, match=r"a\.jpg.*Save it as PNG"):
        read_image(tmp_path / "a.jpg")
    for name in ("32bits.tif", "bomb.bmp", "missing.png", "."):
        with pytest.raises(MimError, match=(tmp_path / name).name):
            read_image(tmp_path / name)


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
