"""What can be predicted from, how it is read and what is refused."""

import re

import imageio.v3 as imageio
import numpy as np
import pytest

from mim_tf.errors import MimError
from mim_tf.prediction.inputs import list_inputs, open_input
from mim_tf.values.scale import RAIN_SCALES, UNIT, LinearScale
from tests.data_examples import levels, saved
from tests.small_pictures import save_pictures
from tests.small_videos import numbered_frames, write_video

GREY, RGB = (16, 24, 1), (16, 24, 3)
KELVIN = LinearScale("K", 280.0, 290.0, clipped=False)


@pytest.mark.parametrize(
    ("shape", "frame_shape", "batch_axis"),
    [
        ((5, 16, 24), GREY, False),
        ((5, 16, 24, 1), GREY, False),
        ((2, 5, 16, 24), GREY, True),
        ((2, 5, 16, 24, 1), GREY, True),
        ((5, 16, 24, 3), RGB, False),
        ((1, 5, 16, 24, 3), RGB, True),
        # Four axes that could be [N, T, H, W] and [T, H, W, C]: the network's size decides.
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


def test_pictures_in_natural_order_with_the_channels_of_the_network(tmp_path):
    frames = np.repeat(np.arange(12, dtype=np.uint8)[:, None, None], 16, 1).repeat(24, 2)
    opened = open_input(save_pictures(tmp_path / "clip", frames), RGB)
    assert opened.read(0).shape == (12, *RGB)
    np.testing.assert_array_equal(opened.read(0)[..., 2] * 255, frames)
    one = save_pictures(tmp_path / "one", levels(1, 16, 24, 3))
    assert open_input(one, GREY).read(0).shape == (1, *GREY)
    assert open_input(one, (8, 8, 1), resize=True).read(0).shape == (1, 8, 8, 1)


@pytest.mark.parametrize(("name", "codec"), [("v.mkv", "ffv1"), ("v.gif", None)])
def test_videos(name, codec, tmp_path):
    frames = numbered_frames(6)
    if codec:
        write_video(tmp_path / name, frames, codec)
    else:
        imageio.imwrite(tmp_path / name, frames, plugin="pillow", loop=0)
    read = open_input(tmp_path / name, RGB).read(0)
    np.testing.assert_array_equal(read, frames / np.float32(255))


def test_the_context_is_the_last_frames_which_may_be_further_apart(tmp_path):
    array = levels(2, 6, *GREY)
    path, frames = saved(tmp_path / "a.npy", array), array[1] / np.float32(255)
    for context, interval, expected in (
        (2, 1, frames[4:]),
        (None, 2, frames[1::2]),
        (2, 4, frames[1::4]),
    ):
        opened = open_input(path, GREY, context=context, interval=interval)
        assert opened.length == len(expected)
        np.testing.assert_array_equal(opened.read(1), expected)
    with pytest.raises(MimError, match="--context or --frame_interval"):
        open_input(path, GREY, context=3, interval=4)


def test_the_context_does_not_cross_a_gap_in_time(tmp_path, caplog):
    frames = np.arange(7, dtype=np.uint8)[:, None, None].repeat(16, 1).repeat(24, 2)
    folder = save_pictures(tmp_path / "clip", frames)
    for number in range(3, 7):
        (folder / f"frame{number}.png").rename(folder / f"frame{number + 50}.png")
    opened = open_input(folder, GREY)
    np.testing.assert_array_equal(opened.read(0)[:, 0, 0, 0] * 255, [3, 4, 5, 6])
    assert "the 4 frames after the gap in time before frame 4" in caplog.text
    assert open_input(folder, GREY, context=4).length == 4
    with pytest.raises(MimError, match="at least 5 frames, got 4 after the gap"):
        open_input(folder, GREY, context=5)


def test_four_axes_with_an_axis_of_one_are_told_apart(tmp_path, caplog):
    open_input(saved(tmp_path / "a.npy", levels(5, 1, 16, 24)), GREY)
    assert "read as 5 sequences of 1 frame," in caplog.text
    with pytest.raises(MimError, match="C = 3 before the rows"):
        open_input(saved(tmp_path / "b.npy", levels(5, 3, 16, 24)), RGB)


def test_time_before_sequences_is_seen(tmp_path, caplog):
    times, sequences = np.indices((6, 4), np.float32)[..., None, None]
    array = np.tile(times / 100 + sequences / 5, GREY[:2])
    open_input(saved(tmp_path / "a.npy", array.swapaxes(0, 1)), GREY)
    assert not caplog.records
    open_input(saved(tmp_path / "b.npy", array), GREY)
    assert "b.npy" in caplog.text
    seen = levels(1, 25, 64, 64).repeat(20, axis=0)  # as mnist_test_seq.npy has them
    assert open_input(saved(tmp_path / "c.npy", seen), (64, 64, 1)).count == 25


@pytest.mark.parametrize(
    ("array", "named"),
    [
        (np.zeros((2, 5, 1, 16, 24)), "channels on the last axis"),
        (np.zeros((5, 8, 8)), "--resize"),
        (np.zeros((5, *RGB)), "channels"),
        (np.zeros((16, 24)), r"\[T, H, W\]"),
        (np.full((5, *GREY), 2.0), "frame 0"),
        (np.full((5, *GREY), np.nan), "nan"),
    ],
)
def test_arrays_that_are_refused(array, named, tmp_path):
    """See test_arrays.py for others."""
    with pytest.raises(MimError, match=rf"a\.npy.*{named}"):
        open_input(saved(tmp_path / "a.npy", array), GREY)


@pytest.mark.parametrize(
    ("shape", "context", "flag"),
    [(RGB, 4, "--context"), ((32, 32, 3), None, "--resize"), ((16, 24, 2), None, "img_channel")],
)
def test_pictures_that_are_refused(shape, context, flag, tmp_path):
    clip = save_pictures(tmp_path / "clip", levels(3, 16, 24, 3))
    with pytest.raises(MimError, match=f"clip.*{flag}"):
        open_input(clip, shape, context=context)


def test_a_folder_of_inputs(tmp_path):
    for name in ("b10.gif", "b2.mp4", "a.NPY", "notes.txt", ".hidden.npy"):
        (tmp_path / name).touch()
    save_pictures(tmp_path / "clip", levels(1, 16, 24))
    (tmp_path / "empty").mkdir()
    paths, many = list_inputs(tmp_path)
    assert many
    assert [path.name for path in paths] == ["a.NPY", "b2.mp4", "b10.gif", "clip"]
    assert list_inputs(tmp_path / "clip") == ([tmp_path / "clip"], False)
    assert list_inputs(tmp_path / "b2.mp4") == ([tmp_path / "b2.mp4"], False)


@pytest.mark.parametrize("name", ["nothing", "empty", "frames.csv", "both"])
def test_where_there_is_no_input(tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "frames.csv").touch()
    (save_pictures(tmp_path / "both", levels(2, 16, 24)) / "clip.gif").touch()
    with pytest.raises(MimError, match=re.escape(str(tmp_path / name))):
        list_inputs(tmp_path / name)


def test_floats_are_physical_where_the_network_has_a_scale(tmp_path):
    values = np.full((5, *GREY), 295.0)
    values[0, 0, 0] = np.nan
    path = saved(tmp_path / "a.npy", values)
    frames = open_input(path, GREY, scale=KELVIN).read(0)
    assert frames[0, 0, 0] == 0
    assert frames[1:].min() == frames[1:].max() == 1.5
    of_a_grid = LinearScale(("dBZ",), (0.0,), (1.0,), False)
    refused = {np.inf: KELVIN, 95.5: LinearScale("dBZ", 0, 70), -999: of_a_grid, 87: UNIT}
    for value, scale in {**refused, -0.02: RAIN_SCALES["log"]}.items():
        saved(path, np.full((5, *GREY), value))
        with pytest.raises(MimError, match=r"a\.npy"):
            open_input(path, GREY, scale=scale).read(0)


def test_rain_below_zero_by_rounding_is_none(tmp_path):
    path = saved(tmp_path / "a.npy", np.full((5, *GREY), -1e-6))
    assert np.abs(open_input(path, GREY, scale=RAIN_SCALES["dbz"]).read(0)).max() < 1e-6


@pytest.mark.parametrize(
    ("scale", "highest", "warns"),
    [
        (LinearScale("dBZ", 0, 70), 0.9, True),
        (LinearScale("dBZ", 0, 70), 9.0, False),
        (LinearScale("K", 280.0, 290.0, False, 250.0, 310.0), 25.0, True),
        (LinearScale("K", 280.0, 290.0, False, 250.0, 310.0), 2550.0, True),
        (LinearScale("K", 280.0, 290.0, False, 250.0, 310.0), 255.0, False),
    ],
)
def test_floats_that_seem_to_be_in_another_unit(tmp_path, caplog, scale, highest, warns):
    values = np.linspace(0, highest, 3 * 16 * 24).reshape(3, *GREY)
    values[0, 0, 0] = np.nan
    open_input(saved(tmp_path / "a.npy", values), GREY, scale=scale).read(0)
    assert ("a.npy" in caplog.text) == warns


def of_training(low, high, unit=("",)):
    """The scale of a channel whose training had values from `low` to `high`."""
    middle = (low + high) / 2
    return LinearScale(unit, (middle,), (middle + 0.5,), False, (low,), (high,), ("channel1",))


def test_levels_are_read_as_in_a_training_on_levels(tmp_path):
    array = levels(5, *GREY)
    frames, scale = array / np.float32(255), of_training(0.0, 1.0)
    path = saved(tmp_path / "a.npy", array)
    for one in (path, save_pictures(tmp_path / "clip", array[..., 0])):
        read = open_input(one, GREY, scale=scale).read(0)
        np.testing.assert_allclose(read, scale.to_unit(frames), rtol=1e-6)
    # Of a clipped scale, levels are the range.
    clipped = open_input(path, GREY, scale=LinearScale("dBZ", 0, 70)).read(0)
    np.testing.assert_array_equal(clipped, frames)


@pytest.mark.parametrize(
    "scale",
    [
        KELVIN,
        of_training(0.0, 1.0, ("K",)),
        of_training(250.0, 310.0),
        of_training(-0.2, 0.9),
        of_training(0.0, 1.5),
        LinearScale("", 0.0, 300.0, clipped=False),
    ],
)
def test_levels_are_refused_where_training_was_on_other_values(tmp_path, scale):
    path = saved(tmp_path / "a.npy", levels(5, *GREY))
    with pytest.raises(MimError, match=r"a\.npy.*floats"):
        open_input(path, GREY, scale=scale)
