import io
import struct
import zipfile

import numpy as np
import pytest

from mim_tf.data.files.npz_member import read_member
from mim_tf.data.sets.moving_mnist.npz import NpzSource, write_npz
from mim_tf.errors import MimError


def movies(n=3, t=5, h=4, w=6, c=2, seed=0):
    return np.random.default_rng(seed).random((n, t, h, w, c), dtype=np.float32)


def released(n=3, context=2, horizon=3, channels=1):
    """Arrays of a released file whose frame k is all k / 100."""
    total = context + horizon
    frames = np.arange(n * total, dtype=np.float32)[:, None, None, None] / 100
    starts = np.arange(n) * total
    return {
        "clips": np.array(
            [[(s, context) for s in starts], [(s + context, horizon) for s in starts]], np.int32
        ),
        "dims": np.array([[channels, 4, 6]], np.int32),
        "input_raw_data": np.tile(frames, (1, channels, 4, 6)),
    }


@pytest.mark.parametrize("compressed", [False, True])
def test_round_trip(tmp_path, compressed):
    sequences = movies()
    write_npz(tmp_path / "a.npz", sequences, 2, compressed)
    source = NpzSource([tmp_path / "a.npz"], 5)
    assert (source.size, source.shape) == (3, (5, 4, 6, 2))
    np.testing.assert_array_equal(source.sequences([2, 0]), sequences[[2, 0]])
    assert source.sequences([1]).dtype == np.float32


def test_frames_of_three_channels_are_stored_channels_first(tmp_path):
    sequences = movies(2, 4, 64, 64, 3)
    write_npz(tmp_path / "a.npz", sequences, 2)
    with np.load(tmp_path / "a.npz") as file:
        assert file["dims"].tolist() == [[3, 64, 64]]
        assert file["input_raw_data"].shape == (8, 3, 64, 64)
        np.testing.assert_array_equal(file["input_raw_data"][5, 2], sequences[1, 1, ..., 2])
    source = NpzSource([tmp_path / "a.npz"], 4)
    assert source.shape == (4, 64, 64, 3)
    np.testing.assert_array_equal(source.sequences([1, 0]), sequences[[1, 0]])


def test_writer_keeps_the_released_format(tmp_path):
    sequences = np.random.default_rng(0).integers(0, 256, (3, 5, 4, 6), dtype=np.uint8)
    write_npz(tmp_path / "a.npz", sequences, 2)
    with np.load(tmp_path / "a.npz") as file:
        assert sorted(file) == ["clips", "dims", "input_raw_data"]
        assert file["clips"].dtype == file["dims"].dtype == np.int32
        assert file["clips"].tolist() == [
            [[0, 2], [5, 2], [10, 2]],
            [[2, 3], [7, 3], [12, 3]],
        ]
        assert file["dims"].tolist() == [[1, 4, 6]]
        assert file["input_raw_data"].dtype == np.float32
        np.testing.assert_allclose(
            file["input_raw_data"], sequences.reshape(15, 1, 4, 6) / 255, rtol=1e-6
        )
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_large_files_are_written_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr("mim_tf.data.files.npz_member.CHUNK_BYTES", 1000)
    sequences = movies(7)
    for compressed in (False, True):
        path = tmp_path / f"{compressed}.npz"
        write_npz(path, sequences, 2, compressed)
        np.testing.assert_array_equal(NpzSource([path], 5).sequences(range(7)), sequences)


def test_writer_does_not_overwrite(tmp_path):
    (tmp_path / "a.npz").write_text("precious")
    with pytest.raises(MimError, match="exists already"):
        write_npz(tmp_path / "a.npz", movies(), 2)
    assert (tmp_path / "a.npz").read_text() == "precious"


def test_failed_writing_leaves_nothing(tmp_path, monkeypatch):
    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(MimError, match=r"cannot be written: disk full"):
        write_npz(tmp_path / "a.npz", movies(), 2)
    assert not list(tmp_path.iterdir())
    with pytest.raises(MimError, match="cannot be written"):
        write_npz(tmp_path / "no folder" / "a.npz", movies(), 2)


@pytest.mark.parametrize("input_length", [0, 5, -1])
def test_writer_needs_input_and_output(tmp_path, input_length):
    with pytest.raises(MimError, match=f"input_length of 1 to 4 .* received {input_length}"):
        write_npz(tmp_path / "a.npz", movies(), input_length)


def test_writer_refuses_bad_sequences(tmp_path):
    with pytest.raises(MimError, match="in sequence 0, frame 0"):
        write_npz(tmp_path / "a.npz", movies() + 2, 2)
    with pytest.raises(MimError, match="shape"):
        write_npz(tmp_path / "a.npz", np.zeros(3), 2)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("order", ["C", "F"])
def test_stored_frames_stay_in_the_file(tmp_path, order):
    frames = np.asarray(movies()[0], order=order)
    np.savez(tmp_path / "a.npz", first=np.zeros(3), frames=frames)
    got = read_member(tmp_path / "a.npz", "frames", "f", 4)
    assert isinstance(got, np.memmap)
    np.testing.assert_array_equal(got, frames)
    np.savez_compressed(tmp_path / "b.npz", frames=frames)
    got = read_member(tmp_path / "b.npz", "frames", "f", 4)
    assert not isinstance(got, np.memmap)
    np.testing.assert_array_equal(got, frames)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_two_row_dims_take_output_from_its_own_frames(tmp_path, save):
    arrays = released()
    sequences = movies(3, 5, 4, 6, 1)
    raw = sequences.transpose(0, 1, 4, 2, 3)
    save(
        tmp_path / "a.npz",
        clips=np.array([[(0, 2), (2, 2), (4, 2)], [(0, 3), (3, 3), (6, 3)]], np.int32),
        dims=np.repeat(arrays["dims"], 2, axis=0),
        input_raw_data=raw[:, :2].reshape(6, 1, 4, 6),
        output_raw_data=raw[:, 2:].reshape(9, 1, 4, 6),
    )
    source = NpzSource([tmp_path / "a.npz"], 5)
    np.testing.assert_array_equal(source.sequences([0, 1, 2]), sequences)


def test_clips_count_the_frames_of_their_own_file(tmp_path):
    parts = [movies(n, seed=n) for n in (2, 3, 1)]
    paths = [tmp_path / f"{n}.npz" for n in range(3)]
    for path, part in zip(paths, parts, strict=True):
        write_npz(path, part, 2)
    source = NpzSource(paths, 5)
    assert source.size == 6
    order = [5, 0, 2, 4, 1, 3]
    np.testing.assert_array_equal(source.sequences(order), np.concatenate(parts)[order])
    with pytest.raises(IndexError):
        source.sequences([6])


@pytest.mark.parametrize("total_length", [1, 2, 3, 5])
def test_longer_sequences_are_cut(tmp_path, total_length):
    sequences = movies()
    write_npz(tmp_path / "a.npz", sequences, 2)
    source = NpzSource([tmp_path / "a.npz"], total_length)
    np.testing.assert_array_equal(source.sequences([1]), sequences[1:2, :total_length])


def test_clips_may_overlap_and_come_in_any_order(tmp_path):
    clips = np.array([[(4, 2), (0, 2)], [(6, 1), (1, 1)]], np.int64)
    np.savez(tmp_path / "a.npz", **released() | {"clips": clips})
    got = NpzSource([tmp_path / "a.npz"], 3).sequences([0, 1])[:, :, 0, 0, 0] * 100
    np.testing.assert_allclose(got, [[4, 5, 6], [0, 1, 1]], rtol=1e-6)


ARRAYS = released()
FRAMES = ARRAYS["input_raw_data"]
NAN = FRAMES.copy()
NAN[11, 0, 1, 1] = np.nan


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"clips": ARRAYS["clips"][:, :0]}, r"at least one sequence.*\[2, 0, 2\]"),
        ({"clips": ARRAYS["clips"][:1]}, r"clips \[2, N, 2\]"),
        ({"clips": ARRAYS["clips"].astype(float)}, "clips as integers.*float64.*Convert"),
        ({"clips": ARRAYS["clips"][0]}, "clips as integers with 3 axes"),
        ({"clips": ARRAYS["clips"] + [1, 0]}, "within the 15 input|within the 15 output"),
        ({"clips": ARRAYS["clips"] - [1, 0]}, "start -1, length 2 for sequence 0"),
        ({"clips": np.full((2, 1, 2), 2**31 - 1, np.int32)}, "within the 15 input frames"),
        ({"clips": ARRAYS["clips"] * [1, 0]}, "length 0 for sequence 0"),
        (
            {"clips": np.array([[(0, 2), (0, 3)], [(2, 3), (3, 2)]])},
            "input clips of one length, received 2 for sequence 0 and 3 for sequence 1",
        ),
        ({"clips": ARRAYS["clips"] - [0, 1]}, "lengths do not fit.* 5 frames.*received 3"),
        ({"dims": np.array([[1, 6, 4]])}, r"expected dims \[\[1, 4, 6\]\].*\[\[1 6 4\]\]"),
        ({"dims": np.array([[1, 4, 6]] * 2)}, "expected dims"),
        ({"dims": np.array([1, 4, 6])}, "dims as integers with 2 axes"),
        ({"output_raw_data": FRAMES}, "expected dims"),
        ({"input_raw_data": FRAMES[:, 0]}, "input_raw_data as floats with 4 axes"),
        ({"input_raw_data": FRAMES.astype(np.uint8)}, "input_raw_data as floats.*uint8"),
        ({"input_raw_data": FRAMES[:0]}, "at least one frame"),
        ({"input_raw_data": NAN}, "received nan in frame 11 "),
        ({"input_raw_data": FRAMES * 1000}, "input_raw_data.*received 10.0 in frame 1 .*255"),
        (
            {
                "dims": np.array([[1, 4, 6], [1, 4, 5]]),
                "output_raw_data": FRAMES[..., :5],
            },
            "input and output frames of one shape",
        ),
    ],
)
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_that_do_not_fit_are_refused(tmp_path, save, changes, words):
    save(tmp_path / "a.npz", **ARRAYS | changes)
    with pytest.raises(MimError, match=words) as caught:
        NpzSource([tmp_path / "a.npz"], 5)
    assert str(tmp_path / "a.npz") in str(caught.value)


def test_missing_keys_are_listed_with_those_found(tmp_path):
    np.savez(tmp_path / "a.npz", x_train=np.zeros(3), clips=np.zeros(3))
    with pytest.raises(MimError, match=r"expected the keys clips, dims, .* found x_train, clips"):
        NpzSource([tmp_path / "a.npz"], 5)


def test_frames_of_all_files_have_one_shape(tmp_path):
    write_npz(tmp_path / "a.npz", movies(), 2)
    write_npz(tmp_path / "b.npz", movies(h=8), 2)
    with pytest.raises(MimError, match=r"b\.npz: .*\[2, 4, 6\].*a\.npz.*\[2, 8, 6\]"):
        NpzSource([tmp_path / "a.npz", tmp_path / "b.npz"], 5)


def test_no_files_are_refused():
    with pytest.raises(MimError, match="at least one"):
        NpzSource([], 5)


def test_pickles_are_never_loaded(tmp_path):
    np.savez(tmp_path / "a.npz", **ARRAYS | {"clips": np.array([{}], object)})
    with pytest.raises(MimError, match="clips holds pickled Python objects"):
        NpzSource([tmp_path / "a.npz"], 5)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_unreadable_files_are_refused(tmp_path, save):
    with pytest.raises(MimError, match="no such file"):
        NpzSource([tmp_path / "missing.npz"], 5)
    with pytest.raises(MimError, match=r"expected a \.npz file, found a folder"):
        NpzSource([tmp_path], 5)
    save(tmp_path / "whole.npz", **ARRAYS | {"input_raw_data": movies(15, 1, 1, 4, 6)[:, 0]})
    whole = (tmp_path / "whole.npz").read_bytes()
    for content in (b"", b"hello", whole[:-30], whole[: len(whole) // 2], whole[500:]):
        (tmp_path / "bad.npz").write_bytes(content)
        with pytest.raises(MimError, match=r"bad\.npz"):
            NpzSource([tmp_path / "bad.npz"], 5)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_damaged_bytes_surface_as_nothing_but_mim_error(tmp_path, save):
    save(tmp_path / "whole.npz", **ARRAYS)
    whole = (tmp_path / "whole.npz").read_bytes()
    refused = 0
    for position in range(0, len(whole), 5):
        damaged = bytearray(whole)
        damaged[position] ^= 0xFF
        (tmp_path / "bad.npz").write_bytes(damaged)
        try:
            NpzSource([tmp_path / "bad.npz"], 5)
        except MimError:
            refused += 1
    assert refused > 50


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_declared_size_is_checked_before_memory_is_taken(tmp_path, compression):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (10**13, 1, 4, 6)}
    )
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("input_raw_data.npy", header.getvalue() + b"\0" * 1000)
    with pytest.raises(MimError, match="input_raw_data declares 9600000000001"):
        read_member(path, "input_raw_data", "f", 4)


def test_size_in_the_zip_directory_is_not_believed_either(tmp_path):
    size = 2**31
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (size // 4, 1, 1, 1)}
    )
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("input_raw_data.npy", header.getvalue() + b"\0" * 1000)
    content = bytearray(path.read_bytes())
    place = content.index(b"PK\x01\x02") + 24
    content[place : place + 4] = struct.pack("<I", size + len(header.getvalue()))
    path.write_bytes(content)
    with pytest.raises(MimError, match="input_raw_data declares 2147483776"):
        read_member(path, "input_raw_data", "f", 4)


def test_other_compressions_are_refused(tmp_path):
    write_npz(tmp_path / "a.npz", movies(), 2)
    with (
        zipfile.ZipFile(tmp_path / "a.npz") as old,
        zipfile.ZipFile(tmp_path / "b.npz", "w", zipfile.ZIP_LZMA) as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name))
    with pytest.raises(MimError, match="another compression"):
        NpzSource([tmp_path / "b.npz"], 5)


def test_description_is_json_types(tmp_path):
    write_npz(tmp_path / "a.npz", movies(), 2)
    assert NpzSource([tmp_path / "a.npz"], 5).describe() == {
        "source": "npz",
        "paths": [str(tmp_path / "a.npz")],
        "sequences": 3,
        "shape": [5, 4, 6, 2],
    }
