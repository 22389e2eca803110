import json

import numpy as np
import pytest

from mim_tf.config import DataConfig
from mim_tf.data.sets.radar import list_events, open_events
from mim_tf.errors import MimError
from tests.radar_files import (
    ARRAYS,
    DBZ,
    levels,
    opened,
    save_arrays,
    save_npy,
    save_npz,
    save_pictures,
)


def numbered(length, value=0):
    """dBZ frames: frame n is all value + n."""
    return np.tile(np.arange(value, value + length, dtype=np.float32)[:, None, None], (1, 4, 6))


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
    got = opened(tmp_path, radar_values="unit").sequences([0])
    np.testing.assert_array_equal(got[0, ..., 0], frames)


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
    source = opened(tmp_path, window_stride=2, frame_interval=2)
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
def test_missing_values_are_nan(tmp_path, dtype, missing, values, gone):
    frames = np.zeros((4, 4, 6), dtype) + dtype(30)
    frames[2, 3, :4] = values
    save_npy(tmp_path / "a", frames)
    save_arrays(tmp_path / "b", frames)
    source = opened(tmp_path, radar_missing=missing)
    assert source.has_missing
    expected = np.zeros((4, 4, 6, 1), bool)
    expected[2, 3, :4, 0] = gone
    # Windows 0 and 1 are of event a, 2 and 3 of b.
    for window, start in enumerate([0, 1, 0, 1]):
        got = source.sequences([window])[0]
        np.testing.assert_array_equal(np.isnan(got), expected[start : start + 3])
        unit = frames / 255 if dtype == np.uint8 else (frames.astype(float) + 10) / 70
        known = ~expected[start : start + 3, ..., 0]
        np.testing.assert_allclose(
            got[..., 0][known], np.clip(unit, 0, 1)[start : start + 3][known], rtol=1e-3
        )


def test_missing_levels_of_pictures(tmp_path):
    frames = levels()
    save_pictures(tmp_path / "event", frames)
    source = opened(tmp_path, radar_missing=f"{frames[1, 0, 0]}")
    expected = frames[:3] == frames[1, 0, 0]
    np.testing.assert_allclose(
        source.sequences([0])[0, ..., 0], np.where(expected, np.nan, frames[:3]) / 255, rtol=1e-6
    )


@pytest.mark.parametrize("save", ARRAYS)
@pytest.mark.parametrize(
    ("value", "options", "words"),
    [
        (np.nan, {}, "received NaN.*--radar_missing=nan"),
        (
            np.nan,
            {"radar_missing": "-99", "radar_values": "unit"},
            "received NaN.*--radar_missing=nan",
        ),
        (np.inf, {}, "expected finite values, received inf"),
        (-np.inf, {"radar_missing": "nan,-99"}, "expected finite values, received -inf"),
        (35.0, {"radar_values": "unit"}, "received 35.0.*--radar_values=dbz"),
        (
            -99.0,
            {"radar_values": "unit", "radar_missing": "nan"},
            "received -99.0.*--radar_missing=-99",
        ),
    ],
)
def test_values_that_cannot_be_right_name_event_and_frame(
    tmp_path, monkeypatch, save, value, options, words
):
    monkeypatch.setattr("mim_tf.data.sets.radar.CHUNK_VALUES", 50)
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
        opened(tmp_path, radar_missing="1e30")


def test_declared_values_may_lie_outside_0_to_1(tmp_path):
    save_npy(tmp_path / "event", np.array([0.5, -99, np.nan, 1], np.float32).reshape(1, 2, 2))
    source = opened(tmp_path, 1, radar_values="unit", radar_missing="nan,-99")
    np.testing.assert_array_equal(source.sequences([0]).ravel(), [0.5, np.nan, np.nan, 1])


@pytest.mark.parametrize("missing", ["none", "-99;nan", "inf", "1e999", "nan,-"])
def test_missing_values_are_numbers(tmp_path, missing):
    save_npy(tmp_path / "event", levels())
    with pytest.raises(MimError, match="radar_missing must be nan or numbers"):
        opened(tmp_path, radar_missing=missing)


def test_source_has_scale_and_thresholds(tmp_path):
    save_npy(tmp_path / "event", levels())
    source = opened(tmp_path, thresholds=(30.0, 40.0), radar_missing="nan")
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
    with pytest.raises(MimError, match="at least one radar event"):
        open_events([], 3, DataConfig("radar"))


def test_folders_without_events_are_refused(tmp_path):
    with pytest.raises(MimError, match=r"expected a folder.*no such folder"):
        list_events(tmp_path / "nowhere")
    (tmp_path / "file.npy").write_bytes(b"")
    with pytest.raises(MimError, match="expected a folder"):
        list_events(tmp_path / "file.npy")
    save_pictures(tmp_path / "event", levels())
    for folder in (tmp_path / "event", tmp_path / "empty"):
        folder.mkdir(exist_ok=True)
        with pytest.raises(MimError, match=r"subfolder of PNG.*\[T, H, W\].*found none.*holds the"):
            list_events(folder)


@pytest.mark.parametrize("save", [save_pictures, *ARRAYS])
def test_events_of_several_sizes_are_refused(tmp_path, save):
    save(tmp_path / "a", levels())
    save(tmp_path / "b", levels())
    save(tmp_path / "c", levels(height=6, width=4))
    with pytest.raises(MimError, match=r"c.*: expected frames of \[4, 6\].* a.*received \[6, 4\]"):
        opened(tmp_path)
