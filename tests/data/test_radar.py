import io
import json
import tracemalloc
import zipfile

import imageio.v3 as imageio
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mim_tf.data.radar import list_events, open_events
from mim_tf.data.scale import LinearScale
from mim_tf.errors import MimError

DBZ = LinearScale("dBZ", -10, 60)


def levels(length=5, height=4, width=6, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (length, height, width), dtype=np.uint8)


def numbered(length, value=0):
    """dBZ frames: frame n is all value + n."""
    return np.tile(np.arange(value, value + length, dtype=np.float32)[:, None, None], (1, 4, 6))


def save_pictures(folder, frames, name="frame{}.png"):
    folder.mkdir()
    for n, frame in enumerate(frames):
        imageio.imwrite(folder / name.format(n), frame)


def save_arrays(folder, frames):
    folder.mkdir()
    for n, frame in enumerate(frames):
        np.save(folder / f"frame{n}.npy", frame)


def save_npy(path, frames):
    np.save(path.with_suffix(".npy"), frames)


def save_npz(path, frames):
    np.savez(path.with_suffix(".npz"), frames=frames, times=np.arange(len(frames)))


def save_compressed(path, frames):
    np.savez_compressed(path.with_suffix(".npz"), anything=frames)


ARRAYS = [save_arrays, save_npy, save_npz, save_compressed]


def opened(folder, total_length=3, scale=DBZ, **options):
    return open_events(list_events(folder), total_length, scale, **options)


@pytest.mark.parametrize("save", [save_pictures, *ARRAYS])
def test_levels_are_equal_steps_between_the_bounds(tmp_path, save):
    frames = levels()
    frames[0, 0, :2] = 0, 255
    save(tmp_path / "event", frames)
    source = opened(tmp_path)
    assert (source.size, source.shape) == (3, (3, 4, 6, 1))
    got = source.sequences([0, 2])
    assert got.dtype == np.float32
    assert got[0, 0, 0, :2, 0].tolist() == [0, 1]
    np.testing.assert_allclose(got[..., 0], np.stack([frames[:3], frames[2:]]) / 255, rtol=1e-6)
    assert not source.has_missing
    assert not source.missing([0, 2]).any()


@pytest.mark.parametrize("save", ARRAYS)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
def test_reflectivity_is_mapped_and_clipped(tmp_path, save, dtype):
    frames = np.zeros((3, 4, 6), dtype)
    frames[1, 2, :5] = -32, -10, 25, 60, 75.5
    save(tmp_path / "event", frames)
    got = opened(tmp_path).sequences([0])
    assert got.dtype == np.float32
    np.testing.assert_allclose(got[0, 1, 2, :5, 0], [0, 0, 0.5, 1, 1], rtol=1e-6)
    np.testing.assert_allclose(got[0, 0], 10 / 70, rtol=1e-6)


@pytest.mark.parametrize("save", ARRAYS)
def test_unit_values_are_kept(tmp_path, save):
    frames = np.linspace(0, 1, 3 * 4 * 6, dtype=np.float32).reshape(3, 4, 6)
    save(tmp_path / "event", frames)
    got = opened(tmp_path, values="unit").sequences([0])
    np.testing.assert_array_equal(got[0, ..., 0], frames)


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


def test_events_and_frames_come_in_natural_order(tmp_path):
    for event in (1, 2, 10):
        save_arrays(tmp_path / f"event{event}", numbered(12, event))
    assert [path.name for path in list_events(tmp_path)] == ["event1", "event2", "event10"]
    got = opened(tmp_path, total_length=12).sequences([0])
    np.testing.assert_allclose(DBZ.to_physical(got)[0, :, 0, 0, 0], np.arange(1, 13), rtol=1e-5)


def test_only_events_are_listed(tmp_path):
    save_pictures(tmp_path / "b", levels())
    save_npy(tmp_path / "c", levels())
    save_npz(tmp_path / "a", levels())
    (tmp_path / "README.txt").write_text("about these events")
    (tmp_path / ".cache").mkdir()
    assert [path.name for path in list_events(tmp_path)] == ["a.npz", "b", "c.npy"]
    assert opened(tmp_path).size == 9


def test_no_window_crosses_events(tmp_path):
    for name, length, value in (("a", 7, 0), ("b", 4, 20), ("c", 8, 30)):
        np.save(tmp_path / f"{name}.npy", numbered(length, value))
    source = opened(tmp_path, stride=2, interval=2)
    got = np.rint(DBZ.to_physical(source.sequences(range(source.size)))[..., 0, 0, 0])
    assert got.tolist() == [[0, 2, 4], [2, 4, 6], [30, 32, 34], [32, 34, 36]]


def test_events_shorter_than_a_window_are_refused(tmp_path):
    save_npy(tmp_path / "event", levels(5))
    with pytest.raises(MimError, match=r"at least 6 frames .*the longest of 5"):
        opened(tmp_path, total_length=6)


@pytest.mark.parametrize(
    ("dtype", "missing", "values", "gone"),
    [
        (np.float32, "nan", [np.nan, 25, 60, -99], [1, 0, 0, 0]),
        (np.float32, "-99.9, nan", [np.nan, 25, -99.9, -99], [1, 0, 1, 0]),
        (np.float16, "-99.9", [0, 25, -99.9, -99], [0, 0, 1, 0]),
        (np.float64, "-1.7e308", [0, 25, 60, -1.7e308], [0, 0, 0, 1]),
        (np.float32, "-1.7e308,-99", [0, 25, -99, 60], [0, 0, 1, 0]),
        # Compared before the values are clipped and mapped.
        (np.float32, "60", [60, 61, 25, 0], [1, 0, 0, 0]),
        (np.float32, "1", [60, 25, 0, 1], [0, 0, 0, 1]),
        (np.uint8, "255,-99,nan", [255, 254, 99, 0], [1, 0, 0, 0]),
        (np.uint8, "0", [255, 254, 99, 0], [0, 0, 0, 1]),
    ],
)
@pytest.mark.filterwarnings("error")
def test_missing_values_are_0_and_marked(tmp_path, dtype, missing, values, gone):
    frames = np.zeros((4, 4, 6), dtype) + dtype(30)
    frames[2, 3, :4] = values
    save_npy(tmp_path / "a", frames)
    save_arrays(tmp_path / "b", frames)
    source = opened(tmp_path, missing=missing)
    assert source.has_missing
    expected = np.zeros((4, 4, 6, 1), bool)
    expected[2, 3, :4, 0] = gone
    # Windows 0 and 1 are of event a, 2 and 3 of b.
    for window, start in enumerate([0, 1, 0, 1]):
        assert (source.missing([window])[0] == expected[start : start + 3]).all()
        got = source.sequences([window])[0]
        assert np.isfinite(got).all()
        assert (got[expected[start : start + 3]] == 0).all()
        unit = frames / 255 if dtype == np.uint8 else (frames.astype(float) + 10) / 70
        known = ~expected[start : start + 3, ..., 0]
        np.testing.assert_allclose(
            got[..., 0][known], np.clip(unit, 0, 1)[start : start + 3][known], rtol=1e-3
        )


def test_missing_levels_of_pictures(tmp_path):
    frames = levels()
    save_pictures(tmp_path / "event", frames)
    source = opened(tmp_path, missing=f"{frames[1, 0, 0]}")
    expected = frames[:3] == frames[1, 0, 0]
    np.testing.assert_array_equal(source.missing([0])[0, ..., 0], expected)
    np.testing.assert_allclose(
        source.sequences([0])[0, ..., 0], np.where(expected, 0, frames[:3]) / 255, rtol=1e-6
    )


@pytest.mark.parametrize("save", ARRAYS)
@pytest.mark.parametrize(
    ("value", "options", "words"),
    [
        (np.nan, {}, "received NaN.*--radar_missing=nan"),
        (np.nan, {"missing": "-99", "values": "unit"}, "received NaN.*--radar_missing=nan"),
        (np.inf, {}, "expected finite values, received inf"),
        (-np.inf, {"missing": "nan,-99"}, "expected finite values, received -inf"),
        (35.0, {"values": "unit"}, "received 35.0.*--radar_values=dbz"),
        (-99.0, {"values": "unit", "missing": "nan"}, "received -99.0.*--radar_missing=-99"),
    ],
)
def test_values_that_cannot_be_right_name_event_and_frame(
    tmp_path, monkeypatch, save, value, options, words
):
    monkeypatch.setattr("mim_tf.data.radar_events.CHUNK_VALUES", 50)
    frames = np.zeros((8, 4, 6), np.float32)
    frames[5, 1, 1] = value
    frames[6] = value
    save(tmp_path / "good", np.zeros((8, 4, 6), np.float32))
    save(tmp_path / "typhoon", frames)
    with pytest.raises(MimError, match=rf"typhoon.*frame ?5.*{words}"):
        opened(tmp_path, **options)


def test_infinity_is_not_taken_for_a_number_too_large_for_the_dtype(tmp_path):
    save_npy(tmp_path / "event", np.full((3, 4, 6), np.inf, np.float16))
    with pytest.raises(MimError, match="frame 0: expected finite values, received inf"):
        opened(tmp_path, missing="1e30")


def test_declared_values_may_lie_outside_0_to_1(tmp_path):
    save_npy(tmp_path / "event", np.array([0.5, -99, np.nan, 1], np.float32).reshape(1, 2, 2))
    source = opened(tmp_path, 1, values="unit", missing="nan,-99")
    assert source.sequences([0]).ravel().tolist() == [0.5, 0, 0, 1]
    assert source.missing([0]).ravel().tolist() == [False, True, True, False]


@pytest.mark.parametrize("missing", ["none", "-99;nan", "inf", "1e999", "nan,-"])
def test_missing_values_are_numbers(tmp_path, missing):
    save_npy(tmp_path / "event", levels())
    with pytest.raises(MimError, match="radar_missing must be nan or numbers"):
        opened(tmp_path, missing=missing)


def test_source_has_scale_and_thresholds(tmp_path):
    save_npy(tmp_path / "event", levels())
    source = opened(tmp_path, thresholds=(30.0, 40.0), missing="nan")
    assert (source.scale, source.thresholds) == (DBZ, (30.0, 40.0))
    description = source.describe()
    assert json.loads(json.dumps(description, allow_nan=False)) == description
    assert description == {
        "source": "radar",
        "scale": {"unit": "dBZ", "low": -10, "high": 60},
        "values": "dbz",
        "missing": "nan",
        "sequences": 3,
        "shape": [3, 4, 6, 1],
        "recordings": [str(tmp_path / "event.npy")],
    }


def test_bad_options_are_refused(tmp_path):
    save_npy(tmp_path / "event", levels())
    with pytest.raises(MimError, match=r"thresholds from -10 to below 60 dBZ.*received 30, 60"):
        opened(tmp_path, thresholds=(30, 60))
    with pytest.raises(MimError, match="dbz or unit, received 'mm'"):
        opened(tmp_path, values="mm")
    with pytest.raises(MimError, match="at least one radar event"):
        open_events([], 3, DBZ)


def test_folders_without_events_are_refused(tmp_path):
    with pytest.raises(MimError, match=r"expected a folder.*No such file"):
        list_events(tmp_path / "nowhere")
    (tmp_path / "file.npy").write_bytes(b"")
    with pytest.raises(MimError, match="expected a folder"):
        list_events(tmp_path / "file.npy")
    save_pictures(tmp_path / "event", levels())
    for folder in (tmp_path / "event", tmp_path / "empty"):
        folder.mkdir(exist_ok=True)
        with pytest.raises(MimError, match=r"subfolder of PNG.*\[T, H, W\].*found none.*holds the"):
            list_events(folder)


def test_folders_that_are_no_event_are_refused(tmp_path):
    (tmp_path / "event").mkdir()
    with pytest.raises(MimError, match=r"event: .* found neither"):
        opened(tmp_path)
    np.save(tmp_path / "event" / "a.npy", levels(1)[0])
    imageio.imwrite(tmp_path / "event" / "a.png", levels(1)[0])
    with pytest.raises(MimError, match=r"event: .* found both"):
        opened(tmp_path)


@pytest.mark.parametrize("save", [save_pictures, *ARRAYS])
def test_events_of_several_sizes_are_refused(tmp_path, save):
    save(tmp_path / "a", levels())
    save(tmp_path / "b", levels())
    save(tmp_path / "c", levels(height=6, width=4))
    with pytest.raises(MimError, match=r"c.*: expected frames of \[4, 6\].* a.*received \[6, 4\]"):
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
        (save_pictures, levels(4, 6, 3), "levels of grey.*3 channels.*colour map"),
        (save_pictures, np.zeros((4, 6), np.uint16), "levels of grey of 8 bits, received uint16"),
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
    monkeypatch.setattr("mim_tf.data.radar_events.CHUNK_VALUES", 5 * 64 * 64)
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

    monkeypatch.setattr("mim_tf.data.radar_events.read_image", read_image)
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
