import tracemalloc

import numpy as np
import pytest
from PIL import Image

from mim_tf.data.sets.radar import list_events
from mim_tf.errors import MimError
from tests.radar_files import (
    ARRAYS,
    LEVELS,
    levels,
    opened,
    save_arrays,
    save_compressed,
    save_npy,
    save_npz,
    save_pictures,
)

FILES = [save_npy, save_npz, save_compressed]


@pytest.mark.parametrize(
    ("highest", "kind", "warns"),
    [(1.0, "dbz", True), (40.0, "dbz", False), (0.0, "dbz", False), (1.0, "unit", False)],
)
def test_floats_that_seem_to_be_no_reflectivity(tmp_path, caplog, highest, kind, warns):
    save_npy(tmp_path / "dry", np.zeros((3, 4, 6)))
    save_npy(tmp_path / "wet", np.linspace(0, highest, 72).reshape(3, 4, 6))
    opened(tmp_path, radar_values=kind)
    assert ("--radar_values" in caplog.text) == warns


@pytest.mark.parametrize(
    ("dtype", "highest", "marker", "missing", "warns"),
    [
        ("f4", 50, -99, "", True),
        ("f4", 50, -99.9, "", True),
        ("f4", 50, -99, "-99", False),
        ("f4", 50, -32, "", False),
        ("u1", 150, 255, "", True),
        ("u1", 150, 255, "255", False),
        ("u1", 254, 255, "", False),
        ("u1", 0, 255, "", False),  # masks
    ],
)
def test_values_that_often_mark_missing_ones_are_told(
    tmp_path, caplog, dtype, highest, marker, missing, warns
):
    frames = np.linspace(0, highest, 72).reshape(3, 4, 6).astype(dtype)
    frames[:, 1:3] = marker
    save_npy(tmp_path / "event", frames)
    opened(tmp_path, radar_missing=missing)
    assert (f"--radar_missing={marker}" in caplog.text) == warns


def test_an_event_that_is_there_twice_is_told(tmp_path, caplog):
    for name in ("first", "second"):
        save_npy(tmp_path / name, levels())
    list_events(tmp_path)
    assert not caplog.records
    save_npz(tmp_path / "first", levels())
    list_events(tmp_path)
    assert "first.npy" in caplog.text


def test_only_events_are_listed_in_natural_order(tmp_path):
    save_pictures(tmp_path / "2", levels())
    save_npy(tmp_path / "10", levels())
    save_npz(tmp_path / "1", levels())
    (tmp_path / "README.txt").write_text("about these events")
    (tmp_path / ".cache").mkdir()
    assert [path.name for path in list_events(tmp_path)] == ["1.npz", "2", "10.npy"]
    assert opened(tmp_path).size == 9
    for name in ("2", "10.npy", ".cache", "nowhere"):
        with pytest.raises(MimError, match=name):
            list_events(tmp_path / name)


@pytest.mark.parametrize(
    ("dtype", "missing", "values", "gone"),
    [
        # Levels are equal steps between the bounds; reflectivity is mapped and clipped.
        (np.uint8, "", [255, 254, 99, 0], [0, 0, 0, 0]),
        (">f4", "", [-32, -10, 60, 75.5], [0, 0, 0, 0]),
        (np.float32, "nan", [np.nan, 25, 60, -99], [1, 0, 0, 0]),
        (np.float32, "-99.9, nan", [np.nan, 25, -99.9, -99], [1, 0, 1, 0]),
        (np.float16, "-99.9", [0, 25, -99.9, -99], [0, 0, 1, 0]),
        (np.float64, "-1.7e308", [0, 25, 60, -1.7e308], [0, 0, 0, 1]),
        (np.float64, "-99.9", [0, 25, np.float32(-99.9), -99], [0, 0, 1, 0]),
        (np.float32, "-1.7e308,-99", [0, 25, -99, 60], [0, 0, 1, 0]),
        # Compared before the values are clipped and mapped.
        (np.float32, "60", [60, 61, 25, 0], [1, 0, 0, 0]),
        (np.float32, "1", [60, 25, 0, 1], [0, 0, 0, 1]),
        (np.uint8, "255,-99,nan", [255, 254, 99, 0], [1, 0, 0, 0]),
        (np.uint8, "0", [255, 254, 99, 0], [0, 0, 0, 1]),
    ],
)
@pytest.mark.filterwarnings("error")
def test_values_in_every_layout(tmp_path, dtype, missing, values, gone):
    # Each frame has a value of its own; frame10 follows frame9.
    frames = np.empty((12, 4, 6), dtype)
    frames[:] = 30 + np.arange(12)[:, None, None]
    frames[2, 3, :4] = values
    saves = LEVELS if dtype == np.uint8 else ARRAYS
    for n, save in enumerate(saves):
        # A file may have an axis for the channel.
        save(tmp_path / str(n), frames[..., None] if n in (1, 3) else frames)
    source = opened(tmp_path, radar_missing=missing)
    assert (source.size, source.shape) == (10 * len(saves), (3, 4, 6, 1))
    assert source.has_missing == bool(missing)
    assert source.describe()["scale"] == {"unit": "dBZ", "low": -10, "high": 60}
    unit = frames / 255 if dtype == np.uint8 else (frames.astype(float) + 10) / 70
    expected = np.clip(unit, 0, 1)
    expected[2, 3, :4][np.array(gone, bool)] = np.nan
    windows = [expected[first : first + 3] for first in range(10)] * len(saves)
    got = source.sequences(range(source.size))[..., 0]
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, windows, rtol=1e-3 if dtype == np.float16 else 1e-5)


def test_windows_do_not_cross_missing_hours(tmp_path):
    (tmp_path / "storm").mkdir()
    for n in (*range(5), *range(17, 22)):  # ten minutes each; two hours are missing
        frame = np.full((4, 6), n, np.float32)
        np.save(tmp_path / "storm" / f"C.20200101.{n // 6:02}{n % 6}0.npy", frame)
    source = opened(tmp_path)
    first = source.sequences(range(source.size))[:, 0, 0, 0, 0] * 70 - 10
    assert np.rint(first).tolist() == [0, 1, 2, 17, 18, 19]
    assert source.describe()["gaps_in_time"] == 1


def test_there_may_be_more_events_than_open_files(tmp_path):
    resource = pytest.importorskip("resource", reason="only Unix limits open files by it")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for n in range(60):
        save_npy(tmp_path / f"{n}", levels(3))
        save_npz(tmp_path / f"{n}", levels(3))
    resource.setrlimit(resource.RLIMIT_NOFILE, (110, hard))
    try:
        source = opened(tmp_path)
        assert source.sequences(range(source.size)).shape == (120, 3, 4, 6, 1)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("save", [save_arrays, save_npy, save_npz])
def test_frames_stay_in_their_files(tmp_path, monkeypatch, save):
    monkeypatch.setattr("mim_tf.data.files.arrays.CHUNK_VALUES", 5 * 64 * 64)
    frames = np.zeros((100, 64, 64), np.float32)
    save(tmp_path / "event", frames)
    opened(tmp_path)  # what is imported and kept at the first call does not count
    tracemalloc.start()
    opened(tmp_path).sequences([50])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < frames.nbytes / 4


@pytest.mark.parametrize(
    ("save", "value", "options", "flag"),
    [
        (save_arrays, np.nan, {}, "--radar_missing=nan"),
        (save_npy, np.nan, {"radar_missing": "-99", "radar_values": "unit"}, "--radar_missing=nan"),
        (save_npz, np.inf, {}, "inf"),
        # Too large for float32, but not infinite.
        (save_compressed, np.inf, {"radar_missing": "1e300"}, "inf"),
        (save_npy, -np.inf, {"radar_missing": "nan,-99"}, "-inf"),
        (save_npy, 35.0, {"radar_values": "unit"}, "--radar_values=dbz"),
        (save_npy, 1e20, {}, r"--radar_missing=1e\+20"),
        (save_npy, 95.5, {}, r"--radar_missing=95\.5"),  # level 255 of ODIM files
        (save_arrays, 9.969209968386869e36, {}, r"--radar_missing=9.96921e\+36"),
        (save_npz, -9999.0, {"radar_missing": "9999"}, r"--radar_missing=-9999\."),
        (save_npy, -9999.9, {}, r"--radar_missing=-9999\.9\."),
        (save_npy, -99.0, {"radar_values": "unit", "radar_missing": "nan"}, "_missing=-99"),
    ],
)
def test_impossible_values_are_located(tmp_path, monkeypatch, save, value, options, flag):
    monkeypatch.setattr("mim_tf.data.files.arrays.CHUNK_VALUES", 50)
    frames = np.zeros((8, 4, 6), np.float32)
    frames[5, 1, 1] = value
    frames[6] = value
    save(tmp_path / "good", np.zeros((8, 4, 6), np.float32))
    save(tmp_path / "typhoon", frames)
    with pytest.raises(MimError, match=rf"typhoon.*frame ?5.*{flag}"):
        opened(tmp_path, **options)


@pytest.mark.parametrize("save", FILES)
@pytest.mark.parametrize("shape", [(5, 4, 6, 2), (5, 4, 6, 1, 1), (20, 25, 64, 64)])
def test_arrays_that_are_no_event_are_refused(tmp_path, save, shape):
    """The last looks like Moving MNIST; see test_arrays.py for others."""
    save(tmp_path / "event", np.zeros(shape, np.uint8))
    with pytest.raises(MimError, match=r"event\.np[yz]"):
        opened(tmp_path)


def differing(save, other):
    """Write a folder whose eleventh frame is `other`."""
    frames = list(levels(12))
    return lambda folder: save(folder / "event", [*frames[:10], other, *frames[11:]])


def two_kinds(folder):
    save_pictures(folder / "event", levels(1))
    np.save(folder / "event" / "a.npy", levels(1)[0])


def converted(mode, **settings):
    def write(folder):
        (folder / "event").mkdir()
        picture = Image.fromarray(levels(1)[0]).convert(mode)
        picture.save(folder / "event" / "0.png", **settings)

    return write


def two_sizes(folder):
    for name, height in (("a", 4), ("b", 4), ("c", 6)):
        save_npy(folder / name, levels(height=height))


def good(folder):
    save_npy(folder / "event", levels())


@pytest.mark.parametrize(
    ("write", "options", "named"),
    [
        *(
            (differing(save_arrays, other), {}, r"frame10\.npy")
            for other in (
                levels(1, 4, 5)[0],
                np.zeros((4, 6), np.float32),
                np.zeros((4, 6), np.int16),
                levels(),
                np.zeros((0, 6)),
            )
        ),
        *(
            (differing(save_pictures, other), {}, r"frame10\.png")
            for other in (levels(1, 4, 5)[0], levels(4, 6, 3), np.zeros((4, 6), np.uint16))
        ),
        (lambda folder: (folder / "event").mkdir(), {}, "event"),
        (two_kinds, {}, "event"),
        (converted("P"), {}, r"0\.png"),
        (converted("LA"), {}, "LA"),  # transparent pixels would be the lowest level
        (converted("L", transparency=7), {}, "LA"),
        (two_sizes, {}, r"c\.npy: .*a"),
        *(
            (good, {"radar_missing": text}, "--radar_missing")
            for text in ("none", "-99;nan", "inf", "1e999", "nan,-")
        ),
        (good, {"thresholds": (30, 60)}, "thresholds"),
        (good, {"total_length": 6}, "total_length"),
    ],
)
def test_what_is_no_event_or_no_option_is_refused(tmp_path, write, options, named):
    write(tmp_path)
    with pytest.raises(MimError, match=named):
        opened(tmp_path, **options)
