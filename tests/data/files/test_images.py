import contextlib
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mim_tf.data.files.images import (
    eight_bits,
    image_header,
    list_images,
    natural_order,
    read_image,
    resize_image,
    to_channels,
)
from mim_tf.errors import MimError


def colours(height=4, width=6):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_pictures_of_a_folder_are_listed_by_name(tmp_path):
    for name in ("b.PNG", "a.jpeg", "c.tiff", ".hidden.png", "._a.jpg", "a.txt", "a.mp4"):
        (tmp_path / name).touch()
    assert [path.name for path in list_images(tmp_path)] == ["a.jpeg", "b.PNG", "c.tiff"]


def test_numbers_in_names_count_as_numbers(tmp_path):
    names = [
        "frame10",
        "frame2",
        "frame2b",
        "frame02",
        "7",
        "a",
        "frame2²",
        "x1y2",
        "x1y10",
        "x01y3",
    ]
    got = [path.name for path in sorted((tmp_path / name for name in names), key=natural_order)]
    assert got == [
        "7",
        "a",
        "frame02",
        "frame2",
        "frame2b",
        "frame2²",
        "frame10",
        "x1y2",
        "x01y3",
        "x1y10",
    ]


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


def test_palette_with_transparency(tmp_path):
    picture = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8), "P")
    picture.putpalette([10, 20, 30, 200, 210, 220])
    picture.save(tmp_path / "a.png", transparency=bytes([0, 128]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(got[0], [[10, 20, 30], [200, 210, 220]])


def test_black_and_white_has_the_levels_0_and_255(tmp_path):
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), [[[255], [0]]])


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits(tmp_path, suffix):
    levels = np.array([[0, 128, 129, 30_000, 65_406, 65_407, 65_535]], np.uint16)
    Image.fromarray(levels).save(tmp_path / f"a.{suffix}")
    got = read_image(tmp_path / f"a.{suffix}")
    assert got.dtype == np.uint16
    np.testing.assert_array_equal(got[..., 0], levels)
    assert eight_bits(got).dtype == np.uint8
    # 65535 / 255 = 257 levels to one.
    np.testing.assert_array_equal(eight_bits(got)[..., 0], [[0, 0, 1, 117, 254, 255, 255]])


def test_levels_of_32_bits_are_refused(tmp_path):
    Image.fromarray(np.zeros((2, 2), np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(MimError, match=r"a\.tif: expected levels of 8 or 16 bits.*32"):
        read_image(tmp_path / "a.tif")


def test_size_is_height_and_width(tmp_path):
    Image.fromarray(colours(4, 6)).save(tmp_path / "a.png")
    assert image_header(tmp_path / "a.png")[:2] == (4, 6)


def test_channels():
    red, grey = np.array([[[255, 0, 0]]], np.uint8), np.array([[[7]]], np.uint8)
    # 0.299 * 255 = 76.2
    assert to_channels(red, 1).tolist() == [[[76]]]
    assert to_channels(red, 3).tolist() == [[[255, 0, 0]]]
    assert to_channels(grey, 1).tolist() == [[[7]]]
    assert to_channels(grey, 3).tolist() == [[[7, 7, 7]]]
    white = np.full((1, 1, 3), 255, np.uint8)
    assert to_channels(white, 1).tolist() == [[[255]]]
    assert to_channels(white, 1).dtype == np.uint8


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_shrinking_looks_at_every_pixel(dtype):
    image = np.zeros((8, 8, 2), dtype)
    image[3, 3, 1] = 255
    small = resize_image(image, 2, 2)
    assert small.shape == (2, 2, 2)
    assert small.dtype == dtype
    assert not small[..., 0].any()
    # The centre of the first small pixel is at 2; weights fall linearly to 0 at a distance of 4:
    # 1 - 1.5 / 4 for pixel 0, whose centre is at 0.5, to 1 - 3.5 / 4 for pixel 5, 3.5 in all.
    expected = 255 * ((1 - 1.5 / 4) / 3.5) ** 2
    np.testing.assert_allclose(
        small[0, 0, 1], round(expected) if dtype == np.uint8 else expected, rtol=1e-6
    )


def test_resizing_keeps_a_constant_and_a_fitting_picture():
    ones = np.ones((7, 5, 1), np.float32)
    np.testing.assert_array_equal(resize_image(ones, 9, 3), np.ones((9, 3, 1)))
    image = colours()
    assert resize_image(image, 4, 6) is image


def test_unreadable_files_are_refused(tmp_path):
    for read in (read_image, image_header):
        with pytest.raises(MimError, match=r"missing\.png: .*no such file"):
            read(tmp_path / "missing.png")
    Image.fromarray(colours(40, 60)).save(tmp_path / "whole.png")
    Image.fromarray(colours(40, 60)).save(tmp_path / "whole.jpg")
    for suffix in ("png", "jpg"):
        whole = (tmp_path / f"whole.{suffix}").read_bytes()
        for content in (b"", b"hello", whole[:100], whole[: len(whole) // 2]):
            (tmp_path / "bad.png").write_bytes(content)
            with pytest.raises(MimError, match=r"bad\.png: expected a picture .* again"):
                read_image(tmp_path / "bad.png")
    with pytest.raises(MimError, match="expected a picture"):
        read_image(tmp_path)


def test_declared_size_is_checked_before_memory_is_taken(tmp_path):
    Image.fromarray(colours()).save(tmp_path / "a.bmp")
    content = bytearray((tmp_path / "a.bmp").read_bytes())
    content[18:26] = (60_000).to_bytes(4, "little") * 2
    (tmp_path / "a.bmp").write_bytes(content)
    with pytest.raises(MimError, match=r"a\.bmp: .*3600000000 pixels"):
        read_image(tmp_path / "a.bmp")


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_damaged_bytes_surface_as_nothing_but_mim_error(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(colours()).save(path)
    whole = path.read_bytes()

    @settings(max_examples=80, deadline=None)
    @given(st.integers(0, len(whole) - 1), st.integers(1, 255))
    def check(position, change):
        damaged = bytearray(whole)
        damaged[position] ^= change
        path.write_bytes(damaged)
        with contextlib.suppress(MimError):
            assert read_image(path).shape[-1] in (1, 3)

    check()
