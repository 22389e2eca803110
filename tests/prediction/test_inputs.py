"""What can be predicted from, how it is read and what is refused."""

import io
import re

import imageio.v3 as imageio
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mim_tf.errors import MimError
from mim_tf.prediction.inputs import list_inputs, open_input
from mim_tf.values.scale import LinearScale
from tests.data_examples import levels
from tests.small_videos import numbered_frames, write_video

GREY, RGB = (16, 24, 1), (16, 24, 3)


def saved(path, array):
    np.save(path, array)
    return path


def pictures(folder, frames):
    folder.mkdir(parents=True)
    for number, frame in enumerate(frames, 1):
        imageio.imwrite(folder / f"frame{number}.png", frame)
    return folder


@pytest.mark.parametrize(
    ("shape", "frame_shape", "batch_axis"),
    [
        ((5, 16, 24), GREY, False),
        ((5, 16, 24, 1), GREY, False),
        ((2, 5, 16, 24), GREY, True),
        ((2, 5, 16, 24, 1), GREY, True),
        ((5, 16, 24, 3), RGB, False),
        ((1, 5, 16, 24, 3), RGB, True),
        # Four axes that could be [N, T, H, W] and [T, H, W, C]: the model's size decides.
        ((5, 4, 6, 3), (6, 3, 1), True),
    ],
)
def test_axes_of_arrays(shape, frame_shape, batch_axis, tmp_path):
    array = levels(*shape)
    opened = open_input(saved(tmp_path / "a.npy", array), frame_shape)
    assert opened.batch_axis == batch_axis
    expected = array.reshape(-1, opened.frames, *frame_shape) / np.float32(255)
    assert opened.count == len(expected)
    read = np.stack([opened.read(n) for n in range(opened.count)])
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, expected)


def test_resize_knows_a_batch_of_grey_by_its_last_axis(tmp_path):
    path = saved(tmp_path / "a.npy", np.full((2, 5, 32, 48), 0.25, np.float64))
    opened = open_input(path, GREY, resize=True)
    assert (opened.count, opened.frames) == (2, 5)
    np.testing.assert_array_equal(opened.read(1), np.full((5, *GREY), 0.25))


def test_pictures_in_natural_order_with_the_model_s_channels(tmp_path):
    frames = np.repeat(np.arange(12, dtype=np.uint8)[:, None, None], 16, 1).repeat(24, 2)
    folder = pictures(tmp_path / "clip", frames)
    opened = open_input(folder, RGB)
    assert opened.read(0).shape == (12, *RGB)
    np.testing.assert_array_equal(opened.read(0)[..., 2] * 255, frames)


def test_one_picture_is_a_context(tmp_path):
    folder = pictures(tmp_path / "clip", levels(1, 16, 24, 3))
    assert open_input(folder, GREY).read(0).shape == (1, *GREY)


@pytest.mark.parametrize(("name", "codec"), [("v.mkv", "ffv1"), ("v.gif", None)])
def test_videos(name, codec, tmp_path):
    frames = numbered_frames(6)
    path = tmp_path / name
    if codec:
        write_video(path, frames, codec)
    else:
        imageio.imwrite(path, frames, plugin="pillow", loop=0)
    opened = open_input(path, RGB)
    np.testing.assert_array_equal(opened.read(0), frames / np.float32(255))


def test_context_is_the_last_frames(tmp_path):
    array = levels(2, 5, *GREY)
    opened = open_input(saved(tmp_path / "a.npy", array), GREY, context=2)
    assert opened.length == 2
    np.testing.assert_array_equal(opened.read(1), array[1, 3:] / np.float32(255))


def test_frames_may_be_further_apart(tmp_path):
    path = saved(tmp_path / "a.npy", levels(2, 6, *GREY))
    read = open_input(path, GREY).read(1)
    opened = open_input(path, GREY, interval=2)
    assert (opened.frames, opened.length) == (3, 3)
    np.testing.assert_array_equal(opened.read(1), read[1::2])
    np.testing.assert_array_equal(open_input(path, GREY, context=2, interval=4).read(1), read[1::4])
    with pytest.raises(MimError, match=r"received 2\. Lower --context or --frame_interval\."):
        open_input(path, GREY, context=3, interval=4)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((5, 8, 8)), "expected frames of 16 x 24 pixels .* received 8 x 8. Give --resize"),
        (np.zeros((5, *RGB)), "expected frames of 1 channels, .* received 3"),
        (np.zeros((16, 24)), r"received float64 \[16, 24\]"),
        (np.zeros((1, 1, 5, *GREY)), r"expected frames \[T, H, W\]"),
        (np.zeros((0, *GREY)), r"received float64 \[0, 16, 24, 1\]"),
        (np.zeros((5, *GREY), int), "uint8 in 0..255 or float .* received int64"),
        (np.zeros((5, *GREY), complex), "received complex128"),
        (np.full((5, *GREY), 2.0), r"expected values in \[0, 1\], received 2.0 in frame 0"),
        (np.full((5, *GREY), np.nan), r"expected values in \[0, 1\], received nan"),
        (np.array([{}] * 3), "without pickling"),
    ],
)
def test_arrays_that_are_refused(array, message, tmp_path):
    with pytest.raises(MimError, match=r"a\.npy"):
        open_input(saved(tmp_path / "a.npy", array), GREY)


def test_inputs_that_are_refused(tmp_path):
    clip = pictures(tmp_path / "clip", levels(3, 16, 24, 3))
    with pytest.raises(MimError, match=r"received 3\. Lower --context"):
        open_input(clip, RGB, context=4)
    with pytest.raises(MimError, match="--resize"):
        open_input(clip, (32, 32, 3))
    with pytest.raises(MimError, match="--img_channel"):
        open_input(clip, (16, 24, 2))
    assert open_input(clip, (8, 8, 1), resize=True).read(0).shape == (3, 8, 8, 1)


def test_a_folder_of_inputs(tmp_path):
    for name in ("b10.gif", "b2.mp4", "a.NPY", "notes.txt", ".hidden.npy"):
        (tmp_path / name).touch()
    pictures(tmp_path / "clip", levels(1, 16, 24))
    (tmp_path / "empty").mkdir()
    paths, many = list_inputs(tmp_path)
    assert many
    assert [path.name for path in paths] == ["a.NPY", "b2.mp4", "b10.gif", "clip"]
    assert list_inputs(tmp_path / "clip") == ([tmp_path / "clip"], False)
    assert list_inputs(tmp_path / "b2.mp4") == ([tmp_path / "b2.mp4"], False)


def test_where_there_is_no_input(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "frames.csv").touch()
    both = pictures(tmp_path / "both", levels(2, 16, 24))
    (both / "clip.gif").touch()
    for name, message in (
        ("nothing", "found nothing there"),
        ("empty", "found none in it"),
        ("frames.csv", "another kind of file"),
        ("both", "images and also clip.gif"),
    ):
        with pytest.raises(MimError, match=f"{re.escape(str(tmp_path / name))}.*{message}"):
            list_inputs(tmp_path / name)


@given(place=st.integers(0, 140), byte=st.integers(0, 255), length=st.integers(0, 192))
@settings(max_examples=60, deadline=None)
def test_damaged_arrays_are_named(tmp_path_factory, place, byte, length):
    buffer = io.BytesIO()
    np.save(buffer, np.zeros((2, 4, 8, 1), np.uint8))
    damaged = bytearray(buffer.getvalue())
    damaged[place] = byte
    path = tmp_path_factory.mktemp("damaged") / "a.npy"
    path.write_bytes(damaged[:length])
    try:
        assert open_input(path, (4, 8, 1)).read(0).shape[1:] == (4, 8, 1)
    except MimError as error:
        assert str(path) in str(error)  # noqa: PT017


KELVIN = LinearScale("K", 280.0, 290.0, clipped=False)


def test_floats_are_physical_where_the_model_has_a_scale(tmp_path):
    values = np.full((5, *GREY), 295.0)
    values[0, 0, 0] = np.nan
    frames = open_input(saved(tmp_path / "a.npy", values), GREY, scale=KELVIN).read(0)
    assert frames[0, 0, 0] == 0
    assert frames[1:].min() == frames[1:].max() == 1.5


def test_levels_are_of_the_range_where_the_scale_has_one(tmp_path):
    path = saved(tmp_path / "a.npy", levels(5, *GREY))
    dbz = LinearScale("dBZ", 0, 70)
    read = [open_input(path, GREY, scale=scale).read(0) for scale in (None, dbz)]
    np.testing.assert_array_equal(*read)
    with pytest.raises(MimError, match="expected an array of floats, physical values in K, as"):
        open_input(path, GREY, scale=KELVIN)


def of_training(low, high, unit=("",)):
    """The scale of a channel whose training had values from `low` to `high`."""
    middle = (low + high) / 2
    return LinearScale(unit, (middle,), (middle + 0.5,), False, (low,), (high,), ("channel1",))


def test_levels_are_as_in_training_where_that_may_have_been_on_levels(tmp_path):
    array = levels(5, *GREY)
    scale = of_training(0.0, 1.0)
    expected = scale.to_unit(array / np.float32(255))
    for path in (saved(tmp_path / "a.npy", array), pictures(tmp_path / "clip", array[..., 0])):
        np.testing.assert_allclose(open_input(path, GREY, scale=scale).read(0), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        (of_training(0.0, 1.0, ("K",)), "physical values in K, as the model"),
        (of_training(250.0, 310.0), "physical values, as the model"),
        (of_training(-0.2, 0.9), "physical values, as the model"),
        (of_training(0.0, 1.5), "physical values, as the model"),
        (LinearScale("", 0.0, 300.0, clipped=False), "physical values, as the model"),
    ],
)
def test_levels_are_refused_where_training_was_on_other_values(tmp_path, scale, expected):
    path = saved(tmp_path / "a.npy", levels(5, *GREY))
    with pytest.raises(MimError, match=f"expected an array of floats, {expected}"):
        open_input(path, GREY, scale=scale)


def test_infinity_is_refused_where_any_value_may_be(tmp_path):
    path = saved(tmp_path / "a.npy", np.full((5, *GREY), np.inf))
    with pytest.raises(MimError, match="finite values or NaN, received infinity"):
        open_input(path, GREY, scale=KELVIN).read(0)
