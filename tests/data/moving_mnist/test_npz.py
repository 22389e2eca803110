import numpy as np
import pytest

from mim_tf.data.sets.moving_mnist.npz import NpzSource, write_npz
from mim_tf.errors import MimError


def movies(n=3, t=5, h=4, w=6, c=2, seed=0):
    return np.random.default_rng(seed).random((n, t, h, w, c), dtype=np.float32)


# A released file whose frame k is all k / 100.
FRAMES = np.tile(np.float32(np.arange(15) / 100)[:, None, None, None], (1, 1, 4, 6))
ARRAYS = {
    "clips": np.array([[(0, 2), (5, 2), (10, 2)], [(2, 3), (7, 3), (12, 3)]], np.int32),
    "dims": np.array([[1, 4, 6]], np.int32),
    "input_raw_data": FRAMES,
}
NAN = FRAMES.copy()
NAN[11, 0, 1, 1] = np.nan


@pytest.mark.parametrize(("compressed", "total_length"), [(False, 5), (True, 5), (True, 3)])
def test_round_trip(tmp_path, monkeypatch, compressed, total_length):
    monkeypatch.setattr("mim_tf.data.sets.moving_mnist.npz.CHUNK_BYTES", 1000)  # in parts
    sequences = movies()
    write_npz(tmp_path / "a.npz", sequences, 2, compressed)
    source = NpzSource([tmp_path / "a.npz"], total_length)
    assert (source.size, source.shape) == (3, (total_length, 4, 6, 2))
    np.testing.assert_array_equal(source.sequences([2, 0]), sequences[[2, 0], :total_length])
    assert source.sequences([1]).dtype == np.float32


def test_writer_keeps_the_released_format(tmp_path):
    sequences = np.random.default_rng(0).integers(0, 256, (3, 5, 4, 6), dtype=np.uint8)
    write_npz(tmp_path / "a.npz", sequences, 2)
    with np.load(tmp_path / "a.npz") as file:
        assert sorted(file) == ["clips", "dims", "input_raw_data"]
        clips, dims, frames = file["clips"], file["dims"], file["input_raw_data"]
    assert (clips.dtype, dims.dtype, frames.dtype) == (np.int32, np.int32, np.float32)
    assert clips.tolist() == [[[0, 2], [5, 2], [10, 2]], [[2, 3], [7, 3], [12, 3]]]
    assert dims.tolist() == [[1, 4, 6]]
    np.testing.assert_allclose(frames, sequences.reshape(15, 1, 4, 6) / 255, rtol=1e-6)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_writer_does_not_overwrite(tmp_path):
    (tmp_path / "a.npz").write_text("precious")
    with pytest.raises(MimError, match=r"a\.npz"):
        write_npz(tmp_path / "a.npz", movies(), 2)
    assert (tmp_path / "a.npz").read_text() == "precious"


@pytest.mark.parametrize(
    ("sequences", "length"), [(movies(), 0), (movies(), 5), (movies() + 2, 2), (np.zeros(3), 2)]
)
def test_failed_writing_leaves_nothing(tmp_path, sequences, length):
    with pytest.raises(MimError):
        write_npz(tmp_path / "a.npz", sequences, length)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_two_row_dims_take_output_from_its_own_frames(tmp_path, save):
    sequences = movies(3, 5, 4, 6, 1)
    raw = sequences.transpose(0, 1, 4, 2, 3)
    clips = np.array([[(0, 2), (2, 2), (4, 2)], [(0, 3), (3, 3), (6, 3)]], np.int32)
    parts = {"input_raw_data": raw[:, :2], "output_raw_data": raw[:, 2:]}
    parts = {name: part.reshape(-1, 1, 4, 6) for name, part in parts.items()}
    save(tmp_path / "a.npz", clips=clips, dims=np.array([[1, 4, 6]] * 2, np.int32), **parts)
    source = NpzSource([tmp_path / "a.npz"], 5)
    np.testing.assert_array_equal(source.sequences([0, 1, 2]), sequences)


def test_clips_count_the_frames_of_their_own_file(tmp_path):
    parts = [movies(n, seed=n) for n in (2, 3, 1)]
    paths = [tmp_path / f"{n}.npz" for n in range(3)]
    for path, part in zip(paths, parts, strict=True):
        write_npz(path, part, 2)
    source = NpzSource(paths, 5)
    order = [5, 0, 2, 4, 1, 3]
    np.testing.assert_array_equal(source.sequences(order), np.concatenate(parts)[order])
    with pytest.raises(IndexError):
        source.sequences([6])


def test_clips_may_overlap_and_come_in_any_order(tmp_path):
    clips = np.array([[(4, 2), (0, 2)], [(6, 1), (1, 1)]], np.int64)
    np.savez(tmp_path / "a.npz", **ARRAYS | {"clips": clips})
    got = NpzSource([tmp_path / "a.npz"], 3).sequences([0, 1])[:, :, 0, 0, 0] * 100
    np.testing.assert_allclose(got, [[4, 5, 6], [0, 1, 1]], rtol=1e-6)


@pytest.mark.parametrize(
    "changes",
    [
        {"clips": ARRAYS["clips"][:, :0]},
        {"clips": ARRAYS["clips"][:1]},
        {"clips": ARRAYS["clips"].astype(float)},
        {"clips": ARRAYS["clips"][0]},
        {"clips": ARRAYS["clips"] + [1, 0]},
        {"clips": ARRAYS["clips"] - [1, 0]},
        {"clips": np.full((2, 1, 2), 2**31 - 1, np.int32)},
        {"clips": ARRAYS["clips"] * [1, 0]},
        {"clips": np.array([[(0, 2), (0, 3)], [(2, 3), (3, 2)]])},
        {"clips": ARRAYS["clips"] - [0, 1]},
        {"clips": np.array([{}], object)},
        {"dims": np.array([[1, 6, 4]])},
        {"dims": np.array([[1, 4, 6]] * 2)},
        {"dims": np.array([1, 4, 6])},
        {"output_raw_data": FRAMES},
        {"input_raw_data": FRAMES[:, 0]},
        {"input_raw_data": FRAMES.astype(np.uint8)},
        {"input_raw_data": FRAMES[:0]},
        {"input_raw_data": NAN},
        {"input_raw_data": FRAMES * 1000},
        {"dims": np.array([[1, 4, 6], [1, 4, 5]]), "output_raw_data": FRAMES[..., :5]},
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, changes):
    np.savez(tmp_path / "a.npz", **ARRAYS | changes)
    with pytest.raises(MimError, match=r"a\.npz"):
        NpzSource([tmp_path / "a.npz"], 5)


def test_other_files_are_refused(tmp_path):
    np.savez(tmp_path / "keys.npz", x_train=np.zeros(3), clips=np.zeros(3))
    for name in ("keys.npz", "missing.npz", "."):
        with pytest.raises(MimError, match=(tmp_path / name).name):
            NpzSource([tmp_path / name], 5)
    write_npz(tmp_path / "a.npz", movies(), 2)
    write_npz(tmp_path / "b.npz", movies(h=8), 2)
    with pytest.raises(MimError, match=r"b\.npz: .*a\.npz"):
        NpzSource([tmp_path / "a.npz", tmp_path / "b.npz"], 5)
