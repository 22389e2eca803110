"""Files of predictions: their names, their content, and that none is replaced."""

from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import PIL.Image
import PIL.ImageSequence
import pytest

from mim_tf.errors import MimError
from mim_tf.prediction.outputs import Output, name_outputs
from mim_tf.values.scale import LinearScale


def gradient(length=3, height=16, width=24, channels=1):
    """Frames whose values grow to the right and, a step a frame, over time."""
    ramp = np.linspace(0, 0.5, width, dtype=np.float32)
    frames = ramp + np.linspace(0, 0.5, length, dtype=np.float32)[:, None, None]
    return np.broadcast_to(frames[..., None], (length, height, width, channels))


def truncated(frames):
    return np.floor(frames * np.float32(255)).astype(np.uint8)


def test_arrays_keep_their_values(tmp_path):
    frames = np.stack([gradient(), gradient()])
    Output(tmp_path / "new" / "out.npy", "npy").write(frames)
    np.testing.assert_array_equal(np.load(tmp_path / "new" / "out.npy"), frames)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["out.npy"]


@pytest.mark.parametrize("channels", [1, 3])
def test_images(channels, tmp_path):
    frames = gradient(11, channels=channels)
    Output(tmp_path / "out", "images").write(frames)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {f"pd{number}.png" for number in range(1, 12)}
    for number in (1, 11):
        image = imageio.imread(tmp_path / "out" / f"pd{number}.png")
        np.testing.assert_array_equal(
            image.reshape(16, 24, channels), truncated(frames)[number - 1]
        )


def test_a_grey_gif_has_every_level(tmp_path):
    frames = gradient()
    Output(tmp_path / "out.gif", "gif").write(frames)
    shown = imageio.imread(tmp_path / "out.gif", plugin="pillow", mode="RGB")
    np.testing.assert_array_equal(shown, np.repeat(truncated(frames), 3, axis=-1))
    assert imageio.immeta(tmp_path / "out.gif", plugin="pillow")["duration"] == 200


def test_a_gif_takes_its_time_where_nothing_changes(tmp_path):
    Output(tmp_path / "out.gif", "gif").write(np.repeat(gradient(2), [2, 1], axis=0))
    with PIL.Image.open(tmp_path / "out.gif") as animation:
        durations = [frame.info["duration"] for frame in PIL.ImageSequence.Iterator(animation)]
    assert durations == [400, 200]


@pytest.mark.slow
@pytest.mark.parametrize(("height", "factor"), [(16, 1), (15, 2)])
def test_videos_have_even_sizes_and_about_the_levels(height, factor, tmp_path):
    frames = gradient(height=height)
    Output(tmp_path / "out.mp4", "mp4").write(frames)
    with imageio.imopen(tmp_path / "out.mp4", "r", plugin="pyav") as video:
        shown = video.read()
        assert video.metadata()["fps"] == 5
    assert shown.shape == (3, height * factor, 24 * factor, 3)
    smaller = shown[:, ::factor, ::factor].astype(int)
    assert np.abs(smaller - truncated(frames)).mean() < 5


def test_what_stands_there_stays(tmp_path):
    (tmp_path / "out.npy").write_text("mine")
    with pytest.raises(MimError, match="exists already"):
        name_outputs([Path("a.npy")], False, tmp_path / "out.npy")
    with pytest.raises(MimError, match="exists already"):
        Output(tmp_path / "out.npy", "npy").write(gradient())
    assert (tmp_path / "out.npy").read_text() == "mine"
    (tmp_path / "out").mkdir()
    with pytest.raises(MimError, match="exists already"):
        name_outputs([Path("a.npy")], False, tmp_path / "out")
    (tmp_path / "link.gif").symlink_to(tmp_path / "nothing")
    with pytest.raises(MimError, match="exists already"):
        name_outputs([Path("a.npy")], False, tmp_path / "link.gif")


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(MimError, match="cannot be written"):
        Output(tmp_path / "file" / "out.npy", "npy").write(gradient())


@pytest.mark.parametrize(
    ("name", "form"), [("a.npy", "npy"), ("a.GIF", "gif"), ("a.mp4", "mp4"), ("a", "images")]
)
def test_the_name_tells_the_form(name, form, tmp_path):
    assert name_outputs([Path("x")], False, tmp_path / name) == [Output(tmp_path / name, form)]


def test_results_of_many_are_named_after_them(tmp_path):
    (tmp_path / "clip.v2").mkdir()
    inputs = [Path("a.npy"), Path("b.mp4"), tmp_path / "clip.v2"]
    names = [made.path for made in name_outputs(inputs, True, tmp_path)]
    assert names == [tmp_path / "a.npy", tmp_path / "b.npy", tmp_path / "clip.v2.npy"]
    made = name_outputs(inputs[:1], True, tmp_path / "new", "images")
    assert made == [Output(tmp_path / "new" / "a", "images")]


def test_names_that_are_refused(tmp_path):
    (tmp_path / "file").touch()
    for arguments, message in (
        (([Path("a.npy")], False, "a.avi"), "ends in .npy, .gif, .mp4, .nc or .zarr"),
        (([Path("a.npy")], False, "a.npy", "gif"), "Leave --format out"),
        (([Path("a.npy")], True, "a.npy"), "a folder of inputs is a folder too"),
        (([Path("a.npy")], True, tmp_path / "file"), "a folder of inputs is a folder too"),
        (([Path("a.npy"), Path("a.gif")], True, "out"), r"a.npy and a.gif would both become"),
    ):
        with pytest.raises(MimError, match=message):
            name_outputs(*arguments)


def test_forms_that_cannot_hold_the_frames():
    Output(Path("a.npy"), "npy").check(channels=2, batch_axis=True)
    with pytest.raises(MimError, match=r"pictures have 1 or 3 channels, the model's frames 2"):
        Output(Path("a.gif"), "gif").check(channels=2, batch_axis=False)
    with pytest.raises(MimError, match="several sequences"):
        Output(Path("a"), "images").check(channels=1, batch_axis=True)


@pytest.mark.parametrize("channels", [2, 3])
def test_channels_with_names_are_no_colours(channels, tmp_path):
    ends = np.arange(channels, dtype=float)
    scale = LinearScale(
        ("K",) * channels, tuple(ends), tuple(ends + 2), clipped=False, names=("t", "u", "v")
    )
    output = Output(tmp_path / "out", "images")
    output.check(channels, False, scale=scale)
    frames = np.concatenate([gradient(1), np.zeros((1, 16, 24, channels - 1), np.float32)], axis=-1)
    output.write(frames, scale)
    image = np.asarray(PIL.Image.open(tmp_path / "out" / "pd1.png"))
    np.testing.assert_array_equal(image, truncated(gradient(1))[0, ..., 0])


def test_arrays_hold_physical_values_and_pictures_show_them(tmp_path):
    scale = LinearScale("K", 280.0, 290.0, clipped=False, black=270.0, white=300.0)
    frames = gradient() * 4 - 2
    Output(tmp_path / "out.npy", "npy").write(frames, scale)
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), scale.to_physical(frames))
    Output(tmp_path / "out", "images").write(frames, scale)
    image = imageio.imread(tmp_path / "out" / "pd1.png")
    np.testing.assert_array_equal(image, truncated(scale.shown(frames))[0, ..., 0])
