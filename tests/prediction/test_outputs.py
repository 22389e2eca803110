"""Files of predictions: their names and content, and that none is replaced."""

from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import PIL.Image
import PIL.ImageSequence
import pytest

from mim_tf.data.files.images import FrameFormat
from mim_tf.data.files.videos import open_video
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


def test_a_gif_has_every_level_and_the_time_of_every_frame(tmp_path):
    frames = np.repeat(gradient(2), [2, 1], axis=0)
    Output(tmp_path / "out.gif", "gif").write(frames)
    shown = imageio.imread(tmp_path / "out.gif", plugin="pillow", mode="RGB")
    np.testing.assert_array_equal(shown, np.repeat(truncated(frames), 3, axis=-1))
    with PIL.Image.open(tmp_path / "out.gif") as animation:
        durations = [frame.info["duration"] for frame in PIL.ImageSequence.Iterator(animation)]
    assert durations == [200, 200, 200]
    video = open_video(tmp_path / "out.gif", FrameFormat(frames.shape[1:]))
    np.testing.assert_array_equal(np.rint(video.read([0, 1, 2]) * 255), truncated(frames))


def test_a_gif_whose_frames_are_all_equal_reads_back_as_many(tmp_path):
    frames = np.repeat(gradient(1), 6, axis=0)
    Output(tmp_path / "out.gif", "gif").write(frames)
    video = open_video(tmp_path / "out.gif", FrameFormat(frames.shape[1:]))
    assert (video.length, video.step) == (6, 0.2)
    np.testing.assert_array_equal(np.rint(video.read(range(6)) * 255), truncated(frames))


@pytest.mark.slow
@pytest.mark.parametrize(("height", "channels", "factor"), [(16, 1, 1), (15, 3, 2)])
def test_videos_have_even_sizes_and_about_the_levels(height, channels, factor, tmp_path):
    frames = gradient(height=height, channels=channels)
    Output(tmp_path / "out.mp4", "mp4").write(frames)
    with imageio.imopen(tmp_path / "out.mp4", "r", plugin="pyav") as video:
        shown = video.read()
        assert video.metadata()["fps"] == 5
    assert shown.shape == (3, height * factor, 24 * factor, 3)
    smaller = shown[:, ::factor, ::factor].astype(int)
    assert np.abs(smaller - truncated(frames)).mean() < 5


@pytest.mark.parametrize("name", ["out.npy", "folder", "link.gif"])
def test_existing_outputs_are_kept(name, tmp_path):
    (tmp_path / "out.npy").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.gif").symlink_to(tmp_path / "nothing")
    with pytest.raises(MimError, match=name):
        name_outputs([Path("a.npy")], False, tmp_path / name)
    with pytest.raises(MimError, match=name):
        Output(tmp_path / name, "npy").write(gradient())
    assert (tmp_path / "out.npy").read_text() == "mine"
    with pytest.raises(MimError, match="below"):
        Output(tmp_path / "out.npy" / "below", "npy").write(gradient())


def test_results_are_named_after_inputs_or_as_asked(tmp_path):
    for name, form in (("a.npy", "npy"), ("a.GIF", "gif"), ("a.mp4", "mp4"), ("a", "images")):
        assert name_outputs([Path("x")], False, tmp_path / name) == [Output(tmp_path / name, form)]
    (tmp_path / "clip.v2").mkdir()
    inputs = [Path("a.npy"), Path("b.mp4"), tmp_path / "clip.v2"]
    names = [made.path for made in name_outputs(inputs, True, tmp_path)]
    assert names == [tmp_path / "a.npy", tmp_path / "b.npy", tmp_path / "clip.v2.npy"]
    made = name_outputs(inputs[:1], True, tmp_path / "new", "images")
    assert made == [Output(tmp_path / "new" / "a", "images")]


@pytest.mark.parametrize(
    ("inputs", "many", "output", "form", "message"),
    [
        (["a.npy"], False, "a.avi", None, r"--output.*\.avi"),
        (["a.npy"], False, "a.npy", "gif", "--format"),
        (["a.npy"], True, "a.npy", None, "--output"),
        (["a.npy"], True, __file__, None, "--output"),
        (["a.npy", "a.gif"], True, "out", None, r"a\.npy and a\.gif"),
    ],
)
def test_names_that_are_refused(inputs, many, output, form, message):
    with pytest.raises(MimError, match=message):
        name_outputs(list(map(Path, inputs)), many, output, form)


@pytest.mark.parametrize(
    ("name", "form", "channels", "batch_axis"),
    [
        ("a.gif", "gif", 2, False),
        ("a", "images", 1, True),
        ("a.nc", "nc", 1, False),  # without the coordinates of an input
    ],
)
def test_forms_that_cannot_hold_the_frames(name, form, channels, batch_axis):
    with pytest.raises(MimError, match=rf"{name}.*--output"):
        Output(Path(name), form).check(channels, batch_axis)


def test_pictures_show_physical_values_of_the_first_channel_and_arrays_hold_them(tmp_path):
    scale = LinearScale("K", 280.0, 290.0, clipped=False, black=270.0, white=300.0)
    frames = gradient() * 4 - 2
    Output(tmp_path / "new" / "out.npy", "npy").write(frames, scale)
    np.testing.assert_array_equal(np.load(tmp_path / "new" / "out.npy"), scale.to_physical(frames))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["out.npy"]
    two = LinearScale(
        ("K", "m"), (280.0, 0.0), (290.0, 1.0), False, (270.0, 0.0), (300.0, 1.0), ("t", "z")
    )
    for name, channels, used in (("one", frames, scale), ("two", frames.repeat(2, -1), two)):
        Output(tmp_path / name, "images").check(channels.shape[-1], False, scale=used)
        Output(tmp_path / name, "images").write(channels, used)
        image = np.asarray(PIL.Image.open(tmp_path / name / "pd1.png"))
        np.testing.assert_array_equal(image, truncated(scale.shown(frames))[0, ..., 0])
