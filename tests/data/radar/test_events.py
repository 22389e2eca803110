import io
import tracemalloc
import zipfile

import imageio.v3 as imageio
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mim_tf.errors import MimError
from tests.radar_files import (
    ARRAYS,
    levels,
    opened,
    save_arrays,
    save_compressed,
    save_npy,
    save_npz,
    save_pictures,
)


@pytest.mark.parametrize("save", [save_npy, save_npz, save_compressed])
def test_an_axis_for_the_channel_may_be_there(tmp_path, save):
    save(tmp_path / "event", levels()[..., None])
    source = opened(tmp_path)
    assert source.shape == (3, 4, 6, 1)
    np.testing.assert_allclose(source.sequences([1])[0, ..., 0], levels()[1:4] / 255, rtol=1e-6)


def test_an_event_that_looks_like_moving_mnist_keeps_its_axes(tmp_path):
    np.save(tmp_path / "event.npy", np.zeros((20, 25, 64, 64), np.uint8))
    with pytest.raises(MimError, match=r"event .*, received shape \[20, 25, 64, 64\]"):
        opened(tmp_path)


def test_folders_that_are_no_event_are_refused(tmp_path):
    (tmp_path / "event").mkdir()
    with pytest.raises(MimError, match=r"event: .* found neither"):
        opened(tmp_path)
    np.save(tmp_path / "event" / "a.npy", levels(1)[0])
    imageio.imwrite(tmp_path / "event" / "a.png", levels(1)[0])
    with pytest.raises(MimError, match=r"event: .* found both"):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("save", "other", "words"),
    [
        (save_arrays, levels(1, 4, 5)[0], r"uint8 \[4, 6\].*frame0.*received uint8 \[4, 5\]"),
        (save_pictures, levels(1, 4, 5)[0], r"uint8 \[4, 6\].*frame0.*received uint8 \[4, 5\]"),
        (save_arrays, np.zeros((4, 6), np.float32), r"received float32 \[4, 6\].*one dtype"),
        (save_arrays, np.zeros((4, 6), np.int16), "expected floats, or levels.*received int16"),
        (save_arrays, levels(), r"expected a frame \[H, W\], received shape \[5, 4, 6\]"),
        (save_arrays, np.zeros((0, 6)), r"expected a"),
        (save_pictures, levels(4, 6, 3), "levels of grey.*mode RGB.*colour map"),
        (
            save_pictures,
            np.zeros((4, 6), np.uint16),
            "levels of grey of 8 bits, received a picture of mode I;16",
        ),
    ],
)
def test_frames_that_differ_are_named(tmp_path, save, other, words):
    frames = list(levels(12))
    frames[10] = other
    save(tmp_path / "event", frames)
    with pytest.raises(MimError, match=rf"frame10\.(npy|png): .*{words}"):
        opened(tmp_path)


@pytest.mark.parametrize("save", [save_npy, save_npz, save_compressed])
@pytest.mark.parametrize(
    ("array", "words"),
    [
        (levels()[0], r"event \[T, H, W\]|with 3 axes"),
        (np.zeros((5, 4, 6, 2), np.float32), r"received shape \[5, 4, 6, 2\]"),
        (np.zeros((5, 4, 6, 1, 1)), r"\[5, 4, 6, 1, 1\]"),
        (np.zeros((5, 4, 6), np.int32), "int32"),
        (np.zeros((5, 4, 6), np.uint16), "expected floats, or levels as uint8, received uint16"),
        (np.zeros((5, 4, 6), complex), "complex128"),
        (np.zeros((0, 4, 6), np.float32), "expected"),
        (np.zeros((5, 0, 6), np.float32), "expected"),
        (np.array([{}], object), "pickl"),
    ],
)
def test_arrays_that_are_no_event_are_refused(tmp_path, save, array, words):
    save(tmp_path / "event", array)
    with pytest.raises(MimError, match=rf"event\.np[yz].*({words})"):
        opened(tmp_path)


def test_keys_of_npz_files(tmp_path):
    path = tmp_path / "event.npz"
    np.savez(path, times=np.arange(5), data=levels())
    assert opened(tmp_path).size == 3
    for keys in ({"a": levels(), "b": levels()}, {"frames": levels(), "data": levels()}, {}):
        np.savez(path, **keys)
        found = ", ".join(keys) or "none"
        with pytest.raises(MimError, match=f"one that is called frames or data, found {found}"):
            opened(tmp_path)


def test_there_may_be_more_events_than_open_files(tmp_path):
    resource = pytest.importorskip("resource", reason="only Unix limits open files by it")
    for n in range(75):
        save_npy(tmp_path / f"{n}", levels())
        save_npz(tmp_path / f"{n}", levels())
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (150, hard))
    try:
        source = opened(tmp_path)
        assert source.sequences(range(source.size)).shape == (450, 3, 4, 6, 1)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("save", [save_arrays, save_npy, save_npz])
def test_frames_stay_in_their_files(tmp_path, monkeypatch, save):
    monkeypatch.setattr("mim_tf.data.sets.radar.CHUNK_VALUES", 5 * 64 * 64)
    frames = np.zeros((100, 64, 64), np.float32)
    save(tmp_path / "event", frames)
    tracemalloc.start()
    opened(tmp_path).sequences([50])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < frames.nbytes / 4


def test_pictures_are_decoded_when_asked_for_and_once(tmp_path, monkeypatch):
    decoded = []

    def read_image(path):
        decoded.append(path.name)
        return imageio.imread(path)[..., None]

    monkeypatch.setattr("mim_tf.data.sets.radar.read_image", read_image)
    save_pictures(tmp_path / "event", levels())
    source = opened(tmp_path)
    assert decoded == []
    source.sequences([1])
    source.sequences([1, 2])
    assert decoded == [f"frame{n}.png" for n in (1, 2, 3, 4)]


@pytest.mark.parametrize("mode", ["L", "LA", "1"])
def test_pictures_of_one_channel_are_grey(tmp_path, mode):
    folder = tmp_path / "event"
    folder.mkdir()
    for n in range(3):
        Image.fromarray(np.array([[0, 255]], np.uint8)).convert(mode).save(folder / f"{n}.png")
    assert opened(tmp_path).sequences([0])[0, :, 0, :, 0].tolist() == [[0, 1]] * 3


def test_palettes_are_colour(tmp_path):
    (tmp_path / "event").mkdir()
    Image.fromarray(levels(1)[0]).convert("P").save(tmp_path / "event" / "0.png")
    with pytest.raises(MimError, match="levels of grey"):
        opened(tmp_path)


def contents(folder, save):
    """The bytes of the one file of an event."""
    save(folder / "event", levels(1) if save in (save_pictures, save_arrays) else levels(3))
    file = next(path for path in sorted(folder.rglob("*.*")))
    return file, file.read_bytes()


@pytest.mark.parametrize("save", [save_pictures, *ARRAYS])
def test_truncated_and_empty_files_are_refused(tmp_path, save):
    file, whole = contents(tmp_path, save)
    for content in (b"", b"hello", whole[:20], whole[: len(whole) // 2], whole[500:]):
        file.write_bytes(content)
        with pytest.raises(MimError, match=rf"{file.name}: "):
            opened(tmp_path, 1).sequences([0])


@pytest.mark.parametrize("save", [save_pictures, *ARRAYS])
def test_damaged_bytes_surface_as_nothing_but_mim_error(tmp_path, save):
    file, whole = contents(tmp_path, save)

    @settings(max_examples=60, deadline=None)
    @given(st.integers(0, len(whole) - 1), st.integers(1, 255))
    def check(position, change):
        damaged = bytearray(whole)
        damaged[position] ^= change
        file.write_bytes(damaged)
        try:
            source = opened(tmp_path, 1)
            source.sequences(range(source.size))
        except MimError:
            pass

    check()


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_declared_size_is_checked_before_memory_is_taken(tmp_path, compression):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (10**10, 1000, 1000)}
    )
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", compression) as archive:
        archive.writestr("frames.npy", header.getvalue() + b"\0" * 1000)
    with pytest.raises(MimError, match=r"bomb\.npz: frames declares"):
        opened(tmp_path)
    (tmp_path / "bomb.npz").unlink()
    (tmp_path / "bomb.npy").write_bytes(header.getvalue())
    with pytest.raises(MimError, match=r"bomb\.npy"):
        opened(tmp_path)
