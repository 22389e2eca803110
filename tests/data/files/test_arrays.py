import contextlib
import io
import itertools
import os
import tracemalloc
import zipfile

import numpy as np
import pytest

from mim_tf.config import DataConfig
from mim_tf.data.files.arrays import ArraySource, member_keys, open_npy, read_member, warn_of_order
from mim_tf.data.files.images import FrameFormat
from mim_tf.data.files.recordings import array_frame_shape, array_recordings, open_recordings
from mim_tf.data.files.videos import Video
from mim_tf.data.sets.moving_mnist.npz import NpzSource, write_npz
from mim_tf.errors import MimError
from mim_tf.prediction.inputs import open_input
from tests import radar_files
from tests.data_examples import levels, saved
from tests.small_videos import numbered_frames, write_video

FRAMES = np.linspace(0, 1, 2 * 5 * 8 * 6, dtype=np.float32).reshape(2, 5, 8, 6)


def opened(recordings, frame_shape, total_length):
    return open_recordings(recordings, frame_shape, total_length, DataConfig("array"))


@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, np.float64, ">f4"])
def test_frames_become_float32_in_unit_interval(dtype):
    array = levels(3, 6, 5, 6)
    array[1, 0, 0, :2] = 0, 255
    array = array if dtype == np.uint8 else (array / 255).astype(dtype)
    array[:, 4:] *= 2  # Values after the cut are not checked.
    source = ArraySource(array, 4, "a.npy")
    got = source.sequences([1, 2])
    assert (got.dtype, got.shape) == (np.float32, (2, 4, 5, 6, 1))
    expected = array[1:, :4] / (255 if dtype == np.uint8 else 1)
    np.testing.assert_allclose(got[..., 0], expected, rtol=1e-6)
    assert source.describe()["dtype"] == np.dtype(dtype).name


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.5, 1.5])
def test_first_bad_value_is_located(monkeypatch, value):
    monkeypatch.setattr("mim_tf.data.files.arrays.CHUNK_VALUES", 100)
    array = np.zeros((9, 3, 4, 4), np.float32)
    array[7, 2, 1, 1] = value
    array[8] = 9
    with pytest.raises(MimError, match=rf"a\.npy.*{value} in sequence 7, frame 2"):
        ArraySource(array, 3, "a.npy")


@pytest.mark.parametrize(
    ("shape", "dtype", "remedy"),
    [
        ((6, 5, 7), float, r"array\[None\]"),
        ((3, 6, 5, 7), bool, r"Save array.astype\('float32'\)"),
        ((3, 6, 5, 7), ">u2", r"levels 0..255 as uint8, else .*astype\('float32'\)"),
        ((3, 6, 5, 7), complex, r"got complex128 \[3, 6, 5, 7\]\.$"),
    ],
)
def test_arrays_that_a_step_makes_fit(shape, dtype, remedy):
    with pytest.raises(MimError, match=rf"a\.npy.*{remedy}"):
        ArraySource(np.zeros(shape, dtype), 3, "a.npy")


def test_masked_values_are_not_frames():
    with pytest.raises(MimError, match="mask"):
        ArraySource(np.ma.masked_less(FRAMES, 0.5))


def test_file_is_mapped_not_loaded(tmp_path):
    array = levels(50, 20, 64, 64)
    np.save(tmp_path / "a.npy", array)
    tracemalloc.start()
    got = ArraySource(open_npy(tmp_path / "a.npy"), 20).sequences([49])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < array.nbytes / 4
    np.testing.assert_array_equal(got, ArraySource(array).sequences([49]))


@pytest.mark.parametrize(
    ("shape", "swap", "swapped"),
    [
        ((20, 25, 64, 64), True, True),
        ((20, 20, 64, 64), True, False),
        ((20, 25, 32, 32), True, False),
        ((20, 25, 64, 64), False, False),
        ((20, 25, 64, 64, 1), True, False),
    ],
)
def test_which_axis_is_time(tmp_path, shape, swap, swapped):
    array = levels(*shape)
    got = open_npy(saved(tmp_path / "a.npy", array), swap)
    assert isinstance(got, np.memmap)
    np.testing.assert_array_equal(got, array.swapaxes(0, 1) if swapped else array)


def bars(count, length, size):
    """Return `[count, length, size, size]`, a bar in each video that moves by a pixel a frame."""
    videos = np.zeros((count, length, size, size), np.uint8)
    for n, t in np.ndindex(count, length):
        videos[n, t, (7 * n + t) % (size - 4) :][:4] = 255
    return videos


@pytest.mark.parametrize("time_first", [False, True])
def test_which_axis_is_time_is_seen_in_the_frames(tmp_path, time_first, caplog):
    """Twenty videos of one's own are not taken for frames, as in mnist_test_seq.npy."""
    videos = bars(25, 20, 64).swapaxes(0, 1) if time_first else bars(20, 25, 64)
    expected = bars(25, 20, 64) if time_first else videos
    np.testing.assert_array_equal(open_npy(saved(tmp_path / "a.npy", videos)), expected)
    missing = np.where(np.arange(64) == 9, np.float32(np.nan), videos)
    for array in (videos, missing, videos[..., None]):
        caplog.clear()
        warn_of_order(array, f"{array.dtype} {array.shape}")
        assert ("array.swapaxes(0, 1)" in caplog.text) == time_first


def test_unreadable_npy_files_are_refused(tmp_path):
    whole = saved(tmp_path / "a.npy", levels(2, 3, 4, 4)).read_bytes()
    damaged = whole[:12] + b"{[(" + whole[15:]
    for content in (whole + b"more", whole[:40], damaged, b"PK\x03\x04" + bytes(99)):
        (tmp_path / "a.npy").write_bytes(content)
        with pytest.raises(MimError, match=r"a\.npy"):
            open_npy(tmp_path / "a.npy")
    for path in (tmp_path / "missing.npy", tmp_path):
        with pytest.raises(MimError, match=path.name):
            open_npy(path)


@pytest.mark.parametrize("order", ["C", "F"])
def test_stored_members_are_compared_with_their_checksum(tmp_path, order):
    path, frames = tmp_path / "a.npz", np.asarray(levels(50, 1000), order=order)
    np.savez(path, first=np.zeros(3), frames=frames)
    np.testing.assert_array_equal(read_member(path, "frames"), frames)
    content = bytearray(path.read_bytes())
    content[40_000] ^= 6
    path.write_bytes(content)
    with pytest.raises(MimError, match=r"a\.npz.*CRC"):
        read_member(path, "frames")
    assert (read_member(path, "frames", check=False) != frames).sum() == 1


def test_a_member_that_is_missing_is_named(tmp_path):
    path = saved(tmp_path / "a.npz", FRAMES)
    with pytest.raises(MimError, match=r"array named input_raw_data, got arr_0.*--dataset=array"):
        NpzSource([path])


def test_two_members_of_one_name(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, frames=np.zeros(3))
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("frames.npy", b"")
    for look in (member_keys, lambda path: read_member(path, "frames")):
        with pytest.raises(MimError, match=r"a\.npz"):
            look(path)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_declared_size_is_checked_before_memory_is_allocated(tmp_path, compression):
    header = io.BytesIO()
    declared = {"descr": "|u1", "fortran_order": False, "shape": (10**9, 1000, 64, 64)}
    np.lib.format.write_array_header_1_0(header, declared)
    (tmp_path / "bomb.npy").write_bytes(header.getvalue())
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", compression) as archive:
        archive.writestr("frames.npy", header.getvalue() + b"\0" * 1000)
    for name in ("bomb.npz", "bomb.npy"):
        with pytest.raises(MimError, match=name):
            array_recordings(tmp_path / name)


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_each_video_of_the_main_array_is_a_recording(tmp_path, name):
    array, path = levels(3, 5, 4, 6, 2), tmp_path / name
    if name == "a.npy":
        np.save(path, array)
    else:
        np.savez_compressed(path, labels=np.zeros(2), frames=array)
    recordings = array_recordings(path)
    assert array_frame_shape(path) == recordings[0].frame_shape == (4, 6, 2)
    assert [each.name for each in recordings] == [f"{path}[{n}]" for n in range(3)]
    got = recordings[2].read(np.array([4, 1]))
    np.testing.assert_allclose(got, array[2, [4, 1]] / 255, rtol=1e-6)


@pytest.mark.parametrize("names", [("a", "b"), ("frames", "data"), ()])
def test_an_npz_file_without_a_main_array_is_refused(tmp_path, names):
    np.savez(tmp_path / "a.npz", **dict.fromkeys(names, levels(2, 3, 4, 5)))
    with pytest.raises(MimError, match=rf"a\.npz.*{', '.join(names)}"):
        array_recordings(tmp_path / "a.npz")


READERS = {
    "source": lambda path: ArraySource(open_npy(path), 3, str(path)),
    "input": lambda path: open_input(path, (4, 5, 1)).read(0),
    "recordings": array_recordings,
    "shape": array_frame_shape,
    "radar": lambda path: radar_files.opened(path.parent),
}
BOTH = itertools.product(("recordings", "radar"), ("a.npy", "a.npz"))


@pytest.mark.parametrize(("reader", "name"), [("source", "a.npy"), ("input", "a.npy"), *BOTH])
@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 5)),
        np.zeros((1, 2, 3, 4, 5, 6)),
        np.zeros((2, 3, 4, 0)),
        np.zeros((0, 4, 5)),
        np.zeros((3, 4, 5), np.uint16),
        np.zeros((3, 4, 5), np.int64),
        np.zeros((2, 3, 4, 5), complex),
        np.full((3, 4, 5), {}, object),
    ],
)
def test_arrays_that_are_no_frames_are_refused(tmp_path, reader, name, array):
    with pytest.raises(MimError, match=name):
        READERS[reader](saved(tmp_path / name, array))


@pytest.mark.parametrize("reader", ["source", "input", "recordings", "shape"])
@pytest.mark.parametrize("shape", [(1, 32, 40), (3, 8, 8), (4, 100, 17)])
def test_channels_before_rows_are_named(tmp_path, reader, shape):
    path = saved(tmp_path / "a.npy", np.zeros((2, 5, *shape), np.uint8))
    with pytest.raises(MimError, match=rf"C = {shape[0]} before the rows.*array, 2, -1\)"):
        READERS[reader](path)


@pytest.mark.parametrize("reader", ["source", "recordings", "shape"])
@pytest.mark.parametrize(
    ("shape", "remedy"),
    [
        ((2, 3, 20, 8, 8), r"np.moveaxis\(array, 1, -1\)"),  # PyTorch's order of 3D convolutions
        ((40, 16, 12, 3), r"array\[None\]"),
        ((40, 16, 12, 1), r"array\[None\]"),
    ],
)
def test_axes_in_another_order_are_named(tmp_path, reader, shape, remedy):
    path = saved(tmp_path / "a.npy", np.zeros(shape, np.uint8))
    with pytest.raises(MimError, match=rf"a\.npy.*ave {remedy}"):
        READERS[reader](path)


@pytest.mark.parametrize(("frames", "logged"), [(1, True), (3, True), (4, False)])
def test_frames_of_one_video_with_channels_first_are_logged_once(tmp_path, caplog, frames, logged):
    path = saved(tmp_path / "a.npy", np.zeros((40, frames, 8, 8), np.uint8))
    for _ in range(2):
        array_recordings(path)
    assert caplog.text.count("[T, C, H, W]") == logged


SHAPES = [((2, 9, 9, 6), True), ((2, 9, 9, 6, 1), True), ((2, 9, 8, 6, 1), False)]
SHAPES = [(reader, *each) for reader in ("source", "recordings", "input") for each in SHAPES]


@pytest.mark.parametrize(("reader", "shape", "logged"), [*SHAPES, ("radar", (9, 9, 6), True)])
def test_time_on_the_last_axis_is_logged(tmp_path, caplog, reader, shape, logged):
    """SEVIR stores [N, H, W, T]; MATLAB's [H, W, T] becomes it by array[None]."""
    path = saved(tmp_path / "a.npy", np.zeros(shape, np.uint8))
    with contextlib.suppress(MimError):  # the network of "input" is for another size
        READERS[reader](path)
    assert ("If it has 6 frames, [H, W, T]" in caplog.text) == logged


@pytest.mark.parametrize(("largest", "logged"), [(1, True), (2, False)])
@pytest.mark.parametrize(("reader", "shape"), [("recordings", (2, 5, 4, 5)), ("input", (5, 4, 5))])
def test_levels_0_and_1_are_logged(tmp_path, caplog, largest, logged, reader, shape):
    masks = np.zeros(shape, np.uint8)
    masks[..., 2, 2] = largest
    READERS[reader](saved(tmp_path / "a.npy", masks))
    assert ("a.npy: expected levels 0..255, got 0 and 1" in caplog.text) == logged


@pytest.mark.parametrize("shape", [(4, 100, 3), (1, 100, 12), (5, 32, 32), (3, 4, 20), (2, 2, 2)])
def test_low_frames_with_channels_last_are_none(tmp_path, shape):
    path = saved(tmp_path / "a.npy", np.zeros((2, 5, *shape), np.uint8))
    assert array_frame_shape(path) == array_recordings(path)[0].frame_shape == shape


def test_values_are_checked_when_a_video_is_opened(tmp_path):
    array = np.zeros((3, 4, 5, 6), np.float32)
    array[1, 2, 3, 3] = 255
    recordings = array_recordings(saved(tmp_path / "a.npy", array))
    assert opened(recordings[::2], (5, 6, 1), 2).size == 6
    with pytest.raises(MimError, match=r"a\.npy\[1\]: .*255.0 in frame 2"):
        opened(recordings, (5, 6, 1), 2)


def rewrite(path):
    path.write_bytes(path.read_bytes())
    os.utime(path, (1, 1))


def array_source(path):
    array = open_npy(path) if path.suffix == ".npy" else read_member(path, "arr_0")
    return lambda: ArraySource(array).sequences([1])


def video_of_array(path):
    video = opened(array_recordings(path)[1:], (8, 6, 1), 2).recordings[0]
    return lambda: video.read([2])


def clips(path):
    path.unlink()
    write_npz(path, FRAMES, 3)
    source = NpzSource([path])
    return lambda: source.sequences([0])


def video_file(path):
    write_video(path.with_suffix(".avi"), numbered_frames(4)).rename(path)
    video = Video(path, FrameFormat((16, 24, 3)))
    return lambda: video.read([0])


@pytest.mark.parametrize("change", [lambda path: os.truncate(path, 200), rewrite])
@pytest.mark.parametrize(
    ("name", "reader"),
    [
        *(("a.npy", reader) for reader in (array_source, video_of_array, video_file)),
        *(("a.npz", reader) for reader in (array_source, clips)),
    ],
)
def test_changed_files_are_detected(tmp_path, name, reader, change):
    path = saved(tmp_path / name, FRAMES)
    read = reader(path)
    change(path)
    with pytest.raises(MimError, match=rf"{name} was changed"):
        read()


@pytest.mark.parametrize("save", [*radar_files.ARRAYS[:3], radar_files.save_pictures])
def test_replaced_radar_events_are_detected(tmp_path, save):
    save(tmp_path / "event", radar_files.levels())
    source = radar_files.opened(tmp_path)
    for path in tmp_path.rglob("*.np*"):
        np.save(path, np.full((1, 2), np.nan)) if path.suffix == ".npy" else path.write_bytes(b"")
    for path in tmp_path.rglob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(MimError, match="was changed"):
        source.sequences([0])
