import contextlib
import struct

import av
import numpy as np
import pytest
from PIL import Image

from mim_tf.data.files.images import FrameFormat
from mim_tf.data.files.videos import Video, open_video, video_size
from mim_tf.errors import MimError
from tests.small_servers import served
from tests.small_videos import HEIGHT, WIDTH, numbered_frames, write_video

RGB = FrameFormat((HEIGHT, WIDTH, 3))


@pytest.mark.parametrize(
    ("name", "codec", "pixels", "options"),
    [
        ("a.mp4", "mpeg4", "yuv420p", {"bf": "2"}),
        ("a.avi", "mpeg4", "yuv420p", {}),
        ("a.mov", "mjpeg", "yuvj420p", {}),
        ("a.mpg", "mpeg1video", "yuv420p", {}),
        ("a.gif", "gif", "rgb8", {}),
    ],
)
def test_length_is_known_and_order_kept_in_other_formats(tmp_path, name, codec, pixels, options):
    path = write_video(tmp_path / name, numbered_frames(40), codec, pixels, **options)
    video = open_video(path, RGB)
    assert (video.holes, video.step) == ((), pytest.approx(0.04))
    assert video.length == 40
    got = video.read(range(40)) * 255
    # They lose some, and a GIF of this kind mixes its eight levels of red from pixel to pixel.
    red, green = got[:, :8, :, 0].mean(axis=(1, 2)), got[:, 8:, :, 1].mean(axis=(1, 2))
    np.testing.assert_allclose(red, 3 * np.arange(40), atol=9)
    np.testing.assert_allclose(green, 90, atol=9)
    assert np.all(np.diff(red[::8]) > 0)


def test_frames_before_the_start_mark_of_a_cut_video_do_not_count(tmp_path):
    whole = write_video(tmp_path / "a.mp4", numbered_frames(20), "mpeg4", "yuv420p", g="20")
    with av.open(str(whole)) as old, av.open(str(tmp_path / "b.mp4"), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                packet.pts -= 5 * packet.duration
                packet.dts -= 5 * packet.duration
                new.mux(packet)
    video = Video(tmp_path / "b.mp4", RGB)
    assert video.length == 15
    assert abs(video.read([0])[0, 3, 12, 0] * 255 - 15) < 8


# Blocks of grey, so that every turn and mirroring differs.
FOUR_CORNERS = np.array([[0, 60], [120, 200]], np.uint8)[None, :, :, None].repeat(3, 0)
FOUR_CORNERS = FOUR_CORNERS.repeat(HEIGHT // 2, 1).repeat(WIDTH // 2, 2).repeat(3, 3)
UNIT = 0x10000
QUARTERS = {  # the display matrix (a, b, c, d) -> what is shown of the stored picture
    (UNIT, 0, 0, UNIT): lambda p: p,
    (0, UNIT, -UNIT, 0): lambda p: np.rot90(p, -1),  # clockwise, as phones do
    (-UNIT, 0, 0, -UNIT): lambda p: p[::-1, ::-1],
    (0, -UNIT, UNIT, 0): lambda p: np.rot90(p),
    (-UNIT, 0, 0, UNIT): lambda p: p[:, ::-1],  # mirrored
    (0, UNIT, UNIT, 0): lambda p: p.swapaxes(0, 1),
}


def write_turned(path, matrix):
    """Write frames with a display matrix, which is in the header of the track."""
    write_video(path, FOUR_CORNERS, "mpeg4", "yuv420p")
    content, (a, b, c, d) = bytearray(path.read_bytes()), matrix
    at = content.index(b"tkhd") + 44
    content[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 0x40000000)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("matrix", QUARTERS)
def test_videos_are_turned_upright(tmp_path, matrix):
    path = write_turned(tmp_path / "a.mp4", matrix)
    expected = QUARTERS[matrix](FOUR_CORNERS[2])
    assert video_size(path) == expected.shape[:2]
    got = open_video(path, FrameFormat(expected.shape)).read([2])[0] * 255
    np.testing.assert_allclose(got, expected, atol=12)  # loses some


def test_a_video_turned_by_less_than_a_quarter_is_refused(tmp_path):
    half = round(UNIT / 2**0.5)
    with pytest.raises(MimError, match=r"a\.mp4: .*45 degrees"):
        open_video(write_turned(tmp_path / "a.mp4", (half, half, -half, half)), RGB)


@pytest.mark.parametrize("name", ["a.mkv", "a.avi"])  # an AVI counts frames that were dropped
def test_time_is_missing_where_a_frame_comes_late(tmp_path, name):
    times = [0, 1, 2, 10, 11, 14]
    video = open_video(write_video(tmp_path / name, numbered_frames(6), times=times), RGB)
    assert (video.holes, video.step) == ((3, 5), pytest.approx(0.04))
    assert len(video.read(range(video.length))) == 6


def test_what_is_transparent_in_a_video_is_black(tmp_path):
    pixels = np.full((HEIGHT, WIDTH, 4), 200, np.uint8)
    pixels[..., 3] = np.arange(WIDTH) * 10
    path = write_video(tmp_path / "a.mkv", pixels[None], pixels="bgra")
    got = open_video(path, RGB).read([0])[0, 0, :, 0] * 255
    np.testing.assert_allclose(got, 200 * np.arange(WIDTH) * 10 / 255, atol=0.6)


@pytest.mark.parametrize(("pixels", "logged"), [("yuva420p", True), ("yuv420p", False)])
def test_transparency_that_is_not_decoded_is_logged(tmp_path, caplog, pixels, logged):
    pixel = np.full((2, HEIGHT, WIDTH, 4), 99, np.uint8)
    Video(write_video(tmp_path / "a.webm", pixel, "libvpx-vp9", pixels), RGB)
    assert ("a.webm: its transparency is not read" in caplog.text) == logged


@pytest.mark.parametrize(("pixels", "logged"), [("gray12le", False), ("gray16le", True)])
def test_videos_of_16_bits_are_logged(tmp_path, caplog, pixels, logged):
    video = Video(write_video(tmp_path / "a.mkv", numbered_frames(2), pixels=pixels), RGB)
    assert video.read([1]).shape == (1, *RGB.frame_shape)
    assert ("a.mkv: pixels of 16 bits are read as 8 bits" in caplog.text) == logged


def write_gif(path, durations, **options):
    """Write a GIF whose frame n is all 10 n."""
    pictures = [Image.new("L", (WIDTH, HEIGHT), 10 * n) for n in range(len(durations))]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=durations, **options)
    return path


@pytest.mark.parametrize(
    ("durations", "shown", "step"),
    [
        ([100, 100, 300, 100], [0, 1, 2, 2, 2, 3], 0.1),
        # 30, 40 and 60 frames a second, in hundredths of a second.
        ([30, 40, 30, 170], [0, 1, 2, 3, 3, 3, 3, 3], 0.1 / 3),
        ([30, 20, 30, 20], [0, 1, 2, 3], 0.025),
        ([20, 10, 20, 20, 10, 20], [0, 1, 2, 3, 4, 5], 0.1 / 6),
        ([0, 0, 0], [0, 1, 2], 0),
        ([200, 0, 100], [0, 0, 1, 2], 0.1),
    ],
)
def test_a_frame_of_a_gif_lasts_its_duration(tmp_path, durations, shown, step):
    path = write_gif(tmp_path / "a.gif", durations)
    gif = open_video(path, FrameFormat((*video_size(path), 1)))
    assert (gif.length, gif.step, gif.holes) == (len(shown), pytest.approx(step), ())
    got = gif.read(range(gif.length))
    np.testing.assert_allclose(got[:, 0, 0, 0] * 255, 10 * np.array(shown), rtol=1e-6)


def test_a_gif_of_too_many_steps_is_refused(tmp_path):
    path = write_gif(tmp_path / "a.gif", [10, 10, 600_000])
    assert open_video(path, RGB).length == 60_002
    with pytest.raises(MimError, match=r"a\.gif: .*100,000 steps, got 120,002"):
        open_video(write_gif(path, [10, 600_000, 600_000, 10]), RGB)


def test_a_gif_is_known_by_its_content(tmp_path):
    write_gif(tmp_path / "a.gif", [100, 200]).rename(tmp_path / "a.mp4")
    assert open_video(tmp_path / "a.mp4", RGB).length == 3
    write_video(tmp_path / "b.mkv", numbered_frames(3)).rename(tmp_path / "b.gif")
    assert open_video(tmp_path / "b.gif", RGB).length == 3


def test_frames_are_those_of_the_file(tmp_path):
    frames = numbered_frames(30)
    path = write_video(tmp_path / "a.mkv", frames)
    video = Video(path, RGB)
    assert (video.name, video.length) == (str(path), 30)
    got = video.read(np.array([29, 0, 3]))
    np.testing.assert_allclose(got * 255, frames[[29, 0, 3]], rtol=1e-6)


def test_fewer_frames_than_packets_are_refused(tmp_path):
    end_of_sequence = b"\0\0\1\xb7"
    path, frames = tmp_path / "a.mkv", numbered_frames(5)
    video = Video(write_video(path, frames, "mpeg1video", "yuv420p", end=end_of_sequence), RGB)
    with pytest.raises(MimError, match=r"a\.mkv"):
        video.read([0])


def test_sound_alone_is_refused(tmp_path):
    with av.open(str(tmp_path / "sound.mkv"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(MimError, match=r"sound\.mkv"):
        Video(tmp_path / "sound.mkv", RGB)


def test_a_playlist_does_not_reach_the_internet(tmp_path):
    requests = []
    with served(requests.append) as address:
        (tmp_path / "a.m3u8").write_text(
            f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{address}/a.ts\n#EXT-X-ENDLIST\n"
        )
        with pytest.raises(MimError, match=r"a\.m3u8"):
            Video(tmp_path / "a.m3u8", RGB)
    assert not requests


def test_names_that_look_like_addresses_are_files(in_tmp):
    write_video(in_tmp / "a.mkv", numbered_frames(2)).rename("http:10.mkv")
    assert Video("http:10.mkv", RGB).length == 2


def test_oversized_frames_are_refused_before_they_are_decoded(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mkv", numbered_frames(3))
    monkeypatch.setattr("mim_tf.data.files.videos.LARGEST_FRAME", HEIGHT * WIDTH - 1)
    with pytest.raises(MimError, match=r"a\.mkv"):
        Video(path, RGB)


def test_ffmpeg_prints_nothing(tmp_path, capfd):
    path = write_video(tmp_path / "a.mp4", numbered_frames(9), "mpeg4", "yuv420p")
    content = bytearray(path.read_bytes())
    start = content.index(b"mdat") + 40
    content[start : start + 300] = b"\xa5" * 300
    path.write_bytes(content)
    with contextlib.suppress(MimError):
        Video(path, RGB).read([0])
    assert capfd.readouterr() == ("", "")


def test_a_gif_that_ends_early(tmp_path):
    path = write_video(tmp_path / "a.gif", numbered_frames(6), "gif", "rgb8")
    content = path.read_bytes()
    path.write_bytes(content + bytes(99))
    assert open_video(path, RGB).length == 6
    path.write_bytes(content[: content.rindex(b"\x21\xf9")])
    with pytest.raises(MimError, match=r"a\.gif"):
        open_video(path, RGB)


def test_a_video_whose_end_is_missing(tmp_path):
    path = write_video(tmp_path / "a.avi", numbered_frames(60), "mpeg4", "yuv420p")
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(MimError, match=r"a\.avi: "):
        Video(path, RGB).read([0])


def test_a_video_whose_end_is_missing_and_that_counts_no_frames(tmp_path):
    path = write_video(tmp_path / "a.mkv", numbered_frames(60))
    assert Video(path, RGB).length == 60
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(MimError, match=r"a\.mkv: .*it ends early: there are .* of 2\.4 seconds"):
        Video(path, RGB)


def test_damaged_frames_are_logged(tmp_path, caplog):
    noise = np.random.default_rng(0).integers(0, 256, (20, HEIGHT, WIDTH, 3)).astype(np.uint8)
    path = write_video(tmp_path / "a.mp4", noise, "mpeg4", "yuv420p")
    Video(path, RGB).read([0])
    assert not caplog.records
    content = bytearray(path.read_bytes())
    start = content.index(b"mdat") + 3000
    content[start : start + 99] = b"\xa5" * 99
    path.write_bytes(content)
    Video(path, RGB).read([0])
    assert "a.mp4: frames are damaged" in caplog.text
