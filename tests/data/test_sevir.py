import h5py
import numpy as np
import pytest

from mim_tf.config import DataConfig
from mim_tf.data.sets.sevir import VIL, levels_of_vil, open_sevir, shape_of_sevir, vil_of_levels
from mim_tf.errors import MimError
from mim_tf.values.scale import LinearScale
from tests.sevir_files import events, write_catalog, write_sevir


def opened(folder, split="train", total_length=25, shape=(8, 8, 1), **settings):
    data = DataConfig("sevir", folder, **{"window_stride": 12, **settings})
    return open_sevir(data, split, shape, total_length)


@pytest.mark.parametrize(
    ("level", "vil"),
    [(0, 0), (5, 0), (6, 4 / 90.66), (18, 16 / 90.66), (19, 0.188445), (83.9, 1), (254, 79.3)],
)
def test_levels_stand_for_vil(level, vil):
    assert vil_of_levels(np.array(level)) == pytest.approx(vil, rel=1e-3)
    levels = np.array([0, *range(6, 17), *range(19, 255)])
    np.testing.assert_allclose(levels_of_vil(vil_of_levels(levels)), levels)


def test_an_event_has_three_windows_of_13_and_12_frames(tmp_path):
    write_sevir(tmp_path)
    assert shape_of_sevir(DataConfig("sevir", tmp_path)) == (8, 8, 1)
    source = opened(tmp_path)
    assert (source.size, source.shape) == (6, (25, 8, 8, 1))
    levels = source.sequences([0, 1, 2, 3])[..., 4, 4, 0] * 255
    for window, first in zip(levels, (0, 12, 24, 1), strict=True):
        np.testing.assert_allclose(window, first + np.arange(25), rtol=1e-6)
    assert source.sequences([0])[0, 0, 0, 0, 0] == pytest.approx(254 / 255)
    assert (source.scale, source.converted) == (LinearScale("level", 0, 255), (VIL,))
    assert source.thresholds == (16, 74, 133, 160, 181, 219)


def test_splits_are_by_date(tmp_path):
    first, *_ = write_sevir(tmp_path, count=3)
    for split in ("train", "valid", "test"):
        names = opened(tmp_path, split).describe()["recordings"]
        assert names == [f"{split}-{n}" for n in range(3)]
    source = opened(tmp_path, "all")
    assert source.describe()["events_by_split"] == {"test": 3, "train": 3, "valid": 3}
    assert source.size == 27
    for time, split in (
        ("2019-01-01 00:00:00", "train"),
        ("2019-01-01 00:00:01", "valid"),
        ("2019-06-01 00:00:00", "valid"),
        ("2019-06-01 00:05:00", "test"),
        ("2019-01-01T00:00:00+02:00", "train"),  # 22:00 of 2018 in UTC
        ("2019-01-01T00:00:00-02:00", "valid"),
        ("2019-06-01 00:00:00Z", "valid"),
    ):
        write_catalog(tmp_path, changed([first], 4, time))
        assert opened(tmp_path, split).size == 3
    with pytest.raises(MimError, match=r"for test, got .*valid"):
        opened(tmp_path, "test")


def test_events_with_gaps_and_ids_that_occur_twice_are_left_out(tmp_path):
    rows = write_sevir(tmp_path, count=4)
    rows[0][-1] = 0.5
    rows.append([*rows[1][:2], 3, *rows[1][3:]])
    rows.append([*rows[2][:3], "vis", *rows[2][4:]])  # of another type: no repetition
    write_catalog(tmp_path, rows)
    assert opened(tmp_path).describe()["recordings"] == ["train-2", "train-3"]


def test_255_is_missing(tmp_path):
    frames = events(2)
    frames[0, 2, 3, 30] = 255
    write_sevir(tmp_path, frames=frames)
    source = opened(tmp_path)
    assert source.has_missing
    # Frame 30 of event 0, in its windows from 12 and from 24.
    missing = np.isnan(source.sequences(range(6)))
    assert np.argwhere(missing).tolist() == [[1, 18, 2, 3, 0], [2, 6, 2, 3, 0]]


def test_other_types_have_units(tmp_path):
    stored = np.full((2, 8, 8, 49), 5000, np.int16)
    write_sevir(tmp_path, "ir069", frames=-stored)
    source = opened(tmp_path, sevir_type="ir069")
    assert source.scale.to_physical(source.sequences([0])) == pytest.approx(-50, rel=1e-5)
    assert (source.scale.unit, source.thresholds, source.has_missing) == ("degC", (), False)
    write_sevir(tmp_path, "vis", frames=stored)
    assert opened(tmp_path, sevir_type="vis").sequences([0]) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("kind", "dtype", "value"),
    [
        ("vil", np.float32, 9999),
        ("vil", np.float64, np.inf),
        ("ir069", np.int16, -32768),
        ("ir107", np.float32, np.nan),
        ("vis", np.float32, -9999),
    ],
)
def test_numbers_that_cannot_be_measured_are_refused(tmp_path, kind, dtype, value):
    frames = np.ones((2, 8, 8, 49), dtype)
    frames[1, 2, 3, 30] = value
    write_sevir(tmp_path, kind, frames=frames)
    source = opened(tmp_path, sevir_type=kind)
    assert np.isfinite(source.sequences([0])).all()
    with pytest.raises(MimError, match=rf"row 1: Expected {kind} .*, got {value}"):
        source.sequences([5])


def test_resizing_takes_the_largest_of_blocks(tmp_path):
    write_sevir(tmp_path)
    source = opened(tmp_path, shape=(4, 4, 1), resize=True, total_length=13, frame_interval=2)
    (window,) = source.sequences([0])
    assert window.shape == (13, 4, 4, 1)
    np.testing.assert_allclose(window[:, 0, 0, 0], 254 / 255, rtol=1e-6)
    np.testing.assert_allclose(window[:, 1, 1, 0] * 255, np.arange(0, 26, 2), rtol=1e-6)
    with pytest.raises(MimError, match="--img_height"):
        opened(tmp_path, shape=(3, 3, 1), resize=True)


def test_ids_may_be_bytes_and_a_share_unknown(tmp_path):
    rows = write_sevir(tmp_path)
    with h5py.File(tmp_path / "data" / rows[0][1], "a") as file:
        del file["id"]
        file["id"] = np.array([row[0] for row in rows[:2]], "S9")
    rows[0][-1] = ""  # then it is not known to be complete
    rows[1][2] = "1.0"
    write_catalog(tmp_path, rows)
    catalog = tmp_path / "CATALOG.csv"
    catalog.write_bytes(b"\xef\xbb\xbf" + catalog.read_bytes())  # as Excel saves it
    assert opened(tmp_path).describe()["recordings"] == ["train-1"]


def test_files_that_are_not_there_are_left_out(tmp_path, caplog):
    rows = write_sevir(tmp_path)
    (tmp_path / "data" / rows[-1][1]).unlink()
    assert opened(tmp_path, "valid").size == 6
    assert "1 of the 3 files of type vil" in caplog.text
    with pytest.raises(MimError, match=tmp_path.name):
        opened(tmp_path, "test")
    with pytest.raises(MimError, match="--sevir_type"):
        opened(tmp_path, sevir_type="vis")


def changed(rows, column, value):
    return [[*row[:column], value, *row[column + 1 :]] for row in rows]


def broken(values):
    """Return what replaces the values in the file of training events."""

    def damage(folder, rows):
        with h5py.File(folder / "data" / rows[0][1], "a") as file:
            del file["vil"]
            file.create_group("vil") if values is None else file.create_dataset("vil", data=values)

    return damage


@pytest.mark.parametrize(
    ("damage", "name"),
    [
        (lambda folder, rows: write_catalog(folder, rows, ["id", "file", *"abcde"]), "CATALOG.csv"),
        (lambda folder, rows: write_catalog(folder, changed(rows, 4, "yesterday")), "CATALOG.csv"),
        (lambda folder, rows: (folder / "CATALOG.csv").unlink(), "CATALOG.csv"),
        (lambda folder, rows: write_catalog(folder, changed(rows, 6, 0.5)), "got none of 6"),
        (lambda folder, rows: write_catalog(folder, changed(rows, 2, 7)), "event train-0 in row 7"),
        (lambda folder, rows: write_catalog(folder, [["other", *rows[0][1:]]]), "event other"),
        (broken(np.zeros((2, 49, 8, 8), np.uint8)), "train.h5"),
        (broken(np.full((2, 8, 8, 49), b"a")), "train.h5"),
        (broken(np.zeros((2, 8, 8, 49), np.complex64)), "train.h5"),
        (broken(np.zeros((2, 8, 8, 49), [("a", "f4")])), "train.h5"),
        (broken(h5py.Empty("f4")), "train.h5"),
        (broken(None), "train.h5"),
        (lambda folder, rows: (folder / "data" / rows[0][1]).write_bytes(b"nothing"), "train.h5"),
    ],
)
def test_bad_files_are_refused(tmp_path, damage, name):
    damage(tmp_path, write_sevir(tmp_path))
    with pytest.raises(MimError, match=name):
        opened(tmp_path)
    with pytest.raises(MimError, match=r"--train_data_paths"):
        shape_of_sevir(DataConfig("sevir", [tmp_path, tmp_path / "data"]))
