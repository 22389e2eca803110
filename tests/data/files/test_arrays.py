import tracemalloc

import numpy as np
import pytest

from mim_tf.data.files.arrays import ArraySource, open_array
from mim_tf.errors import MimError


def levels(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_levels_become_float32_in_unit_interval():
    array = levels(3, 4, 5, 6)
    array[1, 0, 0, :2] = 0, 255
    source = ArraySource(array, 4)
    got = source.sequences([1, 2])
    assert source.shape == (4, 5, 6, 1)
    assert source.size == 3
    assert got.dtype == np.float32
    assert got[0, 0, 0, 1, 0] == 1
    np.testing.assert_allclose(got[..., 0], array[1:] / 255, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
def test_floats_keep_their_values(dtype):
    array = np.linspace(0, 1, 2 * 3 * 4 * 5 * 2).reshape(2, 3, 4, 5, 2).astype(dtype)
    got = ArraySource(array, 3).sequences([1])
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, array[1:].astype(np.float32))


def test_longer_sequences_are_cut_to_their_first_frames():
    array = levels(2, 6, 4, 4)
    source = ArraySource(array, 4)
    assert source.shape == (4, 4, 4, 1)
    np.testing.assert_array_equal(
        source.sequences([0, 1]), ArraySource(array[:, :4]).sequences([0, 1])
    )


def test_values_after_the_cut_do_not_matter():
    array = np.zeros((2, 3, 4, 4), np.float32)
    array[:, 2] = 7
    assert ArraySource(array, 2).size == 2


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((2, 3, 4)), r"\[2, 3, 4\].*reshape"),
        (np.zeros((0, 3, 4, 4)), r"received float64 \[0, 3, 4, 4\]"),
        (np.zeros((1, 3, 4, 4), np.int64), "uint8 .*int64"),
        (np.zeros((1, 3, 4, 4), object), "uint8 .*object"),
        (np.zeros((1, 2, 4, 4)), "lengths do not fit.* 3 frames.* 2"),
    ],
)
def test_other_arrays_are_refused(array, words):
    with pytest.raises(MimError, match=f"some file: .*{words}"):
        ArraySource(array, 3, "some file")


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.5, 1.5])
def test_first_bad_value_is_named(monkeypatch, value):
    monkeypatch.setattr("mim_tf.data.files.arrays.CHUNK_VALUES", 100)
    array = np.zeros((9, 3, 4, 4), np.float32)
    array[7, 2, 1, 1] = value
    array[8] = 9
    with pytest.raises(MimError, match=rf"a\.npy.*received {value} in sequence 7, frame 2 "):
        ArraySource(array, 3, "a.npy")


def test_file_is_mapped_not_loaded(tmp_path):
    array = levels(50, 20, 64, 64)
    np.save(tmp_path / "a.npy", array)
    tracemalloc.start()
    source = ArraySource(open_array(tmp_path / "a.npy"), 20)
    got = source.sequences([49])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < array.nbytes / 4
    np.testing.assert_array_equal(got, ArraySource(array).sequences([49]))


@pytest.mark.parametrize(
    ("shape", "time_first", "expected"),
    [
        ((20, 25, 64, 64), None, (25, 20, 64, 64)),
        ((20, 20, 64, 64), None, (20, 20, 64, 64)),
        ((20, 25, 32, 32), None, (20, 25, 32, 32)),
        ((20, 25, 64, 64), False, (20, 25, 64, 64)),
        ((20, 25, 32, 32), True, (25, 20, 32, 32)),
        ((20, 25, 64, 64, 1), None, (20, 25, 64, 64, 1)),
    ],
)
def test_which_axis_is_time(tmp_path, shape, time_first, expected):
    array = levels(*shape)
    np.save(tmp_path / "a.npy", array)
    got = open_array(tmp_path / "a.npy", time_first)
    assert isinstance(got, np.memmap)
    assert got.shape == expected
    swapped = expected[0] != shape[0]
    np.testing.assert_array_equal(got, array.swapaxes(0, 1) if swapped else array)


def test_unreadable_files_are_refused(tmp_path):
    with pytest.raises(MimError, match=r"missing\.npy.*no such file"):
        open_array(tmp_path / "missing.npy")
    with pytest.raises(MimError, match=r"expected a \.npy file, found a folder"):
        open_array(tmp_path)

    np.save(tmp_path / "whole.npy", levels(2, 3, 4, 4))
    whole = (tmp_path / "whole.npy").read_bytes()
    np.save(tmp_path / "pickle.npy", np.array([{}], object), allow_pickle=True)
    np.savez(tmp_path / "zip.npz", a=np.zeros(3))
    contents = {
        "empty.npy": b"",
        "text.npy": b"hello, this is no array",
        "truncated.npy": whole[:-5],
        "longer.npy": whole + b"more",
        "header.npy": whole[:40],
        "damaged.npy": whole[:12] + b"{[(" + whole[15:],
        "pickle.npy": (tmp_path / "pickle.npy").read_bytes(),
        "zip.npy": (tmp_path / "zip.npz").read_bytes(),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(MimError, match=rf"{name}: expected a .npy file .* again"):
            open_array(tmp_path / name)


def test_time_cannot_come_first_in_fewer_axes(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(5))
    with pytest.raises(MimError, match=r"expected \[T, N, H, W\]"):
        open_array(tmp_path / "a.npy", time_first=True)


def test_description_is_json_types():
    assert ArraySource(levels(2, 3, 4, 4), 3, "a.npy").describe() == {
        "source": "array",
        "paths": ["a.npy"],
        "sequences": 2,
        "shape": [3, 4, 4, 1],
        "dtype": "uint8",
    }
