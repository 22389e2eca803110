import io
import os
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mim_tf.config import DataConfig
from mim_tf.data.files.images import FrameFormat
from mim_tf.data.files.recordings import array_frame_shape, array_recordings, open_recordings
from mim_tf.errors import MimError


def levels(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def opened(recordings, frame_shape, total_length):
    return open_recordings(recordings, frame_shape, total_length, DataConfig("array"))


def save(path, array, key="arr_0"):
    if path.suffix == ".npy":
        np.save(path, array)
    else:
        np.savez(path, **{key: array})
    return path


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_each_video_is_a_recording(tmp_path, name):
    array = levels(3, 5, 4, 6, 2)
    path = save(tmp_path / name, array)
    recordings = array_recordings(path)
    assert array_frame_shape(path) == recordings[0].frame_shape == (4, 6, 2)
    assert [recording.name for recording in recordings] == [f"{path}[{n}]" for n in range(3)]
    assert [recording.length for recording in recordings] == [5, 5, 5]
    np.testing.assert_allclose(
        recordings[2].read(np.array([4, 1])), array[2, [4, 1]] / 255, rtol=1e-6
    )


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
def test_floats_keep_their_values_and_grey_needs_no_last_axis(tmp_path, dtype):
    array = np.linspace(0, 1, 2 * 3 * 4 * 5).reshape(2, 3, 4, 5).astype(dtype)
    got = array_recordings(save(tmp_path / "a.npy", array))[1].read([0, 2])
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got[..., 0], array[1, [0, 2]].astype(np.float32))


def test_files_with_the_time_first(tmp_path):
    array = levels(20, 21, 64, 64)
    recordings = array_recordings(save(tmp_path / "mnist_test_seq.npy", array))
    assert len(recordings) == 21
    assert recordings[0].length == 20
    np.testing.assert_allclose(recordings[7].read([3])[0, ..., 0], array[3, 7] / 255, rtol=1e-6)


def test_frames_stay_in_the_file(tmp_path):
    path = save(tmp_path / "a.npy", np.zeros((2, 3, 4, 5), np.float32))
    recording = opened(array_recordings(path)[1:], (4, 5, 1), 2).recordings[0]
    assert recording.read([2]).max() == 0
    np.lib.format.open_memmap(path, mode="r+")[1, 2] = 0.5
    os.utime(path, (1, 1))
    with pytest.raises(MimError, match=r"a\.npy was changed while it was in use"):
        recording.read([2])


@pytest.mark.parametrize("key", ["frames", "data"])
def test_an_npz_file_may_hold_more_where_the_name_says_which(tmp_path, key):
    array = levels(2, 3, 4, 5)
    np.savez_compressed(tmp_path / "a.npz", labels=np.zeros(2), **{key: array})
    got = array_recordings(tmp_path / "a.npz")[0].read([1])
    np.testing.assert_allclose(got[0, ..., 0], array[0, 1] / 255, rtol=1e-6)


def test_which_array_of_an_npz_file_must_be_clear(tmp_path):
    for names in (("a", "b"), ("frames", "data")):
        np.savez(tmp_path / "a.npz", **dict.fromkeys(names, levels(2, 3, 4, 5)))
        with pytest.raises(MimError, match=rf"a\.npz: expected one array.*{', '.join(names)}"):
            array_recordings(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz")
    with pytest.raises(MimError, match="found none"):
        array_recordings(tmp_path / "a.npz")


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
@pytest.mark.parametrize(
    "array",
    [
        np.zeros((3, 4, 5)),
        np.zeros((1, 2, 3, 4, 5, 6)),
        np.zeros((0, 3, 4, 5)),
        np.zeros((2, 0, 4, 5)),
        np.zeros((2, 3, 4, 5), np.int64),
        np.zeros((2, 3, 4, 5), np.uint16),
        np.zeros((2, 3, 4, 5), complex),
    ],
)
def test_other_arrays_are_refused(tmp_path, name, array):
    path = save(tmp_path / name, array)
    with pytest.raises(MimError, match=rf"{name}: expected frames.* received {array.dtype} \["):
        array_recordings(path)
    if array.ndim not in (4, 5):
        with pytest.raises(MimError, match=rf"{name}: expected frames"):
            array_frame_shape(path)


def test_pickles_are_never_loaded(tmp_path):
    array = np.full((2, 3, 4, 5), {}, object)
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    np.savez(tmp_path / "a.npz", array)
    for name in ("a.npy", "a.npz"):
        with pytest.raises(MimError, match=name):
            array_recordings(tmp_path / name)


def test_conversion_refuses_other_frames(tmp_path):
    (video,) = array_recordings(save(tmp_path / "a.npy", levels(1, 3, 4, 5, 2)))
    with pytest.raises(MimError, match=r"a\.npy\[0\]: .* 3 channels, .* received 2.*img_channel"):
        video.converted(FrameFormat((4, 5, 3)))
    with pytest.raises(MimError, match=r"a\.npy\[0\]: .*8 x 5.*4 x 5.*--resize"):
        video.converted(FrameFormat((8, 5, 2)))


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_resizing(tmp_path, dtype):
    array = np.zeros((1, 2, 12, 12, 2), dtype)
    array[0, 1, :, :, 1] = 51 if dtype == np.uint8 else 0.2
    (video,) = array_recordings(save(tmp_path / "a.npy", array))
    got = video.converted(FrameFormat((6, 3, 2), resize=True)).read([1, 0])
    assert got.dtype == np.float32
    assert got.shape == (2, 6, 3, 2)
    np.testing.assert_allclose(got[0, ..., 1], 0.2, rtol=1e-6)
    assert not got[1].any()
    assert not got[..., 0].any()


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.5, 255])
def test_values_are_looked_at_when_a_video_is_opened(tmp_path, value):
    array = np.zeros((3, 4, 5, 6), np.float32)
    array[1, 2, 3, 3] = value
    recordings = array_recordings(save(tmp_path / "a.npy", array))
    assert opened(recordings[::2], (5, 6, 1), 2).size == 6
    with pytest.raises(MimError, match=rf"a\.npy\[1\]: .* received {float(value)} in frame 2 "):
        opened(recordings, (5, 6, 1), 2)


def test_unreadable_files_are_refused(tmp_path):
    for name in ("missing.npy", "missing.npz"):
        with pytest.raises(MimError, match=rf"{name}: .*no such file"):
            array_recordings(tmp_path / name)
    for name in ("a.npy", "a.npz"):
        whole = save(tmp_path / name, levels(2, 3, 4, 5)).read_bytes()
        for content in (b"", b"hello", whole[: len(whole) // 2], whole[:-30]):
            (tmp_path / name).write_bytes(content)
            with pytest.raises(MimError, match=rf"{name}.* again"):
                array_recordings(tmp_path / name)


def test_declared_size_is_checked_before_memory_is_taken(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (10**9, 1000, 64, 64)}
    )
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("frames.npy", header.getvalue() + b"\0" * 1000)
    with pytest.raises(MimError, match=r"bomb\.npz: frames declares"):
        array_recordings(tmp_path / "bomb.npz")


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_damaged_bytes_surface_as_nothing_but_mim_error(tmp_path, write):
    path = tmp_path / "a.npz"
    write(path, np.linspace(0, 1, 2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5))
    whole = path.read_bytes()

    @settings(max_examples=100, deadline=None)
    @given(st.integers(0, len(whole) - 1), st.integers(1, 255))
    def check(position, change):
        damaged = bytearray(whole)
        damaged[position] ^= change
        path.write_bytes(damaged)
        try:
            source = opened(array_recordings(path), (4, 5, 1), 2)
            assert source.sequences(range(source.size)).max() <= 1
        except MimError:
            pass

    check()
