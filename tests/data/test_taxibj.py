import datetime
import json

import h5py
import numpy as np
import pytest

from mim_tf.data.sets.taxibj import synthetic_city
from mim_tf.errors import MimError
from tests.taxibj_files import (
    DATES_2013,
    DATES_2014,
    counts,
    dates,
    open_city,
    open_small,
    write_h5,
)


def frames_last(data):
    """Counts as frames of a sequence."""
    return data.transpose(0, 2, 3, 1)


@pytest.fixture
def city(tmp_path):
    """Two files, their counts, with lowest 0 and highest 200 before the last 20 half hours."""
    first, second = counts(191, 1), counts(48, 2)
    first[3, 0, 1, 2], first[100, 1, 2, 3] = -7, 200
    first[50] = 9999
    folder = tmp_path / "TaxiBJ"
    folder.mkdir()
    write_h5(folder / "BJ13_M32x32_T30_InOut.h5", first, DATES_2013)
    write_h5(folder / "BJ14_M32x32_T30_InOut.h5", second, DATES_2014)
    (folder / "BJ_Holiday.txt").write_text("20130701")
    first[3, 0, 1, 2] = 0
    return folder, first, second


@pytest.mark.parametrize("rule", ["reference", "clean"])
@pytest.mark.parametrize("order", ["chronological", "reference"])
def test_windows_of_a_split(city, rule, order):
    folder, first, second = city
    # 44 windows of five in the day before the gap, 92 in the two days after it, 44 in 2014.
    starts = [(first, start) for start in (*range(44), *range(95, 187))]
    starts += [(second, start) for start in range(44)]
    windows = np.stack([frames_last(data[start : start + 5]) for data, start in starts]) / 200
    if order == "reference":  # newest first
        windows = windows[:, ::-1]
    # By the clean rule, no window to train on shares a half hour with one to test on.
    train = windows[: -20 if rule == "reference" else -24]
    for split, expected in (("train", train), ("valid", windows[-20:]), ("test", windows[-20:])):
        source = open_small(folder, split, taxibj_split=rule, taxibj_order=order)
        assert (source.size, source.shape) == (len(expected), (5, 3, 4, 2))
        got = source.sequences(range(source.size))
        assert (got.dtype, got.flags.c_contiguous) == (np.float32, True)
        np.testing.assert_allclose(got, expected, rtol=1e-6)
    assert (source.scale.unit, source.scale.low, source.scale.high) == ("vehicles", 0, 200)
    # The 44 windows of 2014 are all for testing: no window of 2013 can share a slot with them.
    assert open_city([folder], "train", 5, taxibj_split=rule, test_windows=44).size == 136


def test_2019_number_of_test_windows_is_the_default(tmp_path):
    # 30 days without a gap: 1440 half hours.
    data = np.random.default_rng(0).random((1440, 2, 1, 1))
    path = write_h5(tmp_path / "a.h5", data, dates(datetime.date(2013, 7, 1), 30))
    assert open_city([path], "test", 8).size == 1344
    assert open_city([path], "train", 8).size == 1433 - 1344
    assert open_city([path], "train", 8, taxibj_split="clean").size == 1433 - 1344 - 7
    # One clean window is enough.
    assert open_city([path], "train", 8, 1433 - 8, taxibj_split="clean").size == 1
    with pytest.raises(MimError, match="--taxibj_split=clean"):
        open_city([path], "train", 8, 1433 - 7, taxibj_split="clean")


def test_last_half_hours_do_not_fit_the_scale_and_are_clipped_to_it(tmp_path):
    data = counts(192, 1)
    data[0, 0, 0, 0], data[171, 0, 0, 0] = 5, 150
    data[data < 5] = 5
    data[172, 1, 2, 3], data[191, 0, 0, :2], data[191, 1, 0, 0] = 151, 300, 2
    path = write_h5(tmp_path / "a.h5", data, dates(datetime.date(2013, 7, 1), 4))
    source = open_small(path)
    assert (source.scale.low, source.scale.high) == (5, 150)
    assert source.describe()["clipped_values"] == 4
    frames = source.sequences(range(20))
    assert (frames.min(), frames.max()) == (0, 1)
    np.testing.assert_array_equal(frames[19, 4, 0, :2, 0], [1, 1])
    assert frames[19, 4, 0, 0, 1] == 0


def test_files_may_be_listed_and_have_to_fit_each_other(city):
    folder, *_ = city
    paths = sorted(folder.glob("*.h5"))
    expected = open_small(folder, "train").sequences(range(160))
    (folder / "._BJ13_M32x32_T30_InOut.h5").write_bytes(b"left by macOS")
    (folder / "dataset.npz").write_bytes(b"not read")
    small = write_h5(folder.parent / "NYC.h5", counts(48, 1)[:, :, :2], DATES_2014)
    for given_paths in (paths, [folder]):
        source = open_city(given_paths, "train", 5, test_windows=20)
        np.testing.assert_array_equal(source.sequences(range(160)), expected)
    for wrong in (paths[::-1], [paths[0], small]):
        with pytest.raises(MimError, match=rf"{wrong[1].name}: .*{wrong[0].name}"):
            open_city(wrong, "train", 5, test_windows=20)
    for total_length, windows in ((5, 180), (97, 20), (500, 20)):
        with pytest.raises(MimError, match="--total_length"):
            open_city([folder], "train", total_length, test_windows=windows)


def test_paths_without_files_are_refused(tmp_path):
    with pytest.raises(MimError, match="--taxibj_synthetic"):
        open_city([], "train", 5)
    with pytest.raises(MimError, match="--taxibj_synthetic"):
        open_city([tmp_path], "train", 5, taxibj_synthetic=True)
    (tmp_path / "BJ_Meteorology.h5").touch()
    for paths in ([tmp_path], [tmp_path / "missing.h5"], [tmp_path, tmp_path]):
        with pytest.raises(MimError, match=str(paths[0])):
            open_city(paths, "test", 5)


def changed(place, value):
    data = counts(191, 1)
    data[place] = value
    return data


DATES = np.array(DATES_2013)
SHRUNK = {"compression": "gzip", "scaleoffset": 0}
NO_DATES = [
    *(b"2013070149", b"2013070100", b"2013130101", b"2013023001", b"0000070101", b"20130701"),
    *(b"2013-07-01", b"20130701 1", b"201307_101", b"20130701011", b"", b"\xff013070101"),
]


@pytest.mark.parametrize(
    ("dtype", "compression"), [(np.float32, "gzip"), (np.int16, "lzf"), (">f8", None)]
)
def test_other_dtypes_and_compressed_files(tmp_path, dtype, compression):
    data = counts(191, 1)
    path = write_h5(tmp_path / "a.h5", data.astype(dtype), DATES_2013, compression=compression)
    expected = (frames_last(data[186:]) - 1) / 98
    np.testing.assert_allclose(open_small(path).sequences([19])[0], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("data", "date"),
    [
        (counts(190, 1), DATES),
        (counts(0, 1), DATES[:0]),
        (counts(191, 1)[:, :1], DATES),
        (counts(191, 1)[:, :, 0], DATES),
        (counts(191, 1)[..., :0], DATES),
        (counts(191, 1).astype("S5"), DATES),
        (counts(191, 1) > 50, DATES),
        (counts(191, 1), np.arange(191)),
        (counts(191, 1), DATES[:, None]),
        (counts(191, 1), [date.decode() for date in DATES_2013]),  # text, as h5py writes it
        (h5py.Empty("f4"), DATES),
        (counts(191, 1), None),
        (None, h5py.Empty("S10")),
        (counts(191, 1) * 0 + 4, DATES),  # counts that do not differ
        (-counts(191, 1), DATES),
        (changed((100, 1, 2, 3), np.nan), DATES),
        (counts(191, 1) - np.inf, DATES),
        (changed((100, 1, 2, 3), 1e300), DATES),  # not finite in single precision
        (counts(47, 1), np.array(DATES_2014[1:])),  # no complete day
        (counts(191, 1), DATES[::-1]),
        (counts(191, 1), DATES[[0, *range(190)]]),
        *((counts(191, 1), np.array([*DATES[:6], date, *DATES[7:]])) for date in NO_DATES),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, data, date):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, values in (("data", data), ("date", date)):
            if values is not None:
                file[name] = values
    with pytest.raises(MimError, match=r"a\.h5: "):
        open_small(tmp_path / "a.h5")


@pytest.mark.parametrize(
    "options",
    [
        {"shape": (10**10, 2, 32, 32), "chunks": (48, 2, 32, 32), "compression": "gzip"},
        {"shape": (10**10, 2, 32, 32), "chunks": (48, 2, 32, 32)},
        {"shape": (10**10, 2, 32, 32)},
        {"shape": (191, 2, 3, 4)},
        {"shape": (191, 2, 3, 4), "chunks": (48, 2, 3, 4)},
        {"shape": (191, 2, 3, 4), "external": "elsewhere"},
        # Content that shrinks further than deflate can.
        {"dtype": "i4", "shape": (191, 2, 128, 128), "chunks": (191, 2, 128, 128)} | SHRUNK,
    ],
)
def test_declared_size_is_checked_before_memory_is_allocated(tmp_path, options):
    (tmp_path / "elsewhere").write_bytes(bytes(191 * 24 * 4))
    with h5py.File(tmp_path / "bomb.h5", "w") as file:
        data = file.create_dataset("data", **{"dtype": "f4"} | options)
        if data.chunks:
            data[: data.chunks[0]] = 1
        # A date for each slot, without taking the space.
        sparse = {"shape": data.shape[:1], "dtype": "S10", "chunks": (1000,)}
        file.create_dataset("date", **{"data": DATES} if len(data) == 191 else sparse)
    with pytest.raises(MimError, match=r"bomb\.h5"):
        open_small(tmp_path / "bomb.h5")


def arrays(n=3, frames=4, seed=0, **changes):
    values = np.random.default_rng(seed).uniform(-1, 1, (4, n, frames, 2, 3, 5))
    return dict(zip(("X_train", "Y_train", "X_test", "Y_test"), values, strict=True)) | changes


def y_test(value):
    values = arrays()["Y_test"]
    values[1, 2, 0, 1, 1] = value
    return {"Y_test": values}


@pytest.mark.parametrize(
    ("save", "dtype"), [(np.savez, np.float32), (np.savez_compressed, np.float64)]
)
def test_npz_is_x_then_y(tmp_path, save, dtype):
    stored = {key: part.astype(dtype) for key, part in arrays().items()}
    stored["X_train"][0, 0, 0, 0, :2] = -1, 1
    path = tmp_path / "dataset.npz"
    save(path, **stored)
    for split, name in (("train", "train"), ("valid", "test"), ("test", "test")):
        parts = [stored[f"X_{name}"][[2, 0]], stored[f"Y_{name}"][[2, 0]]]
        expected = (np.concatenate(parts, axis=1) + 1) / 2
        source = open_city([path], split, 7)
        got = source.sequences([2, 0])
        assert (source.size, source.shape, source.scale) == (3, (7, 3, 5, 2), None)
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, expected[:, :7].transpose(0, 1, 3, 4, 2), atol=1e-6)
    assert open_city([tmp_path], "train", 8).sequences([0])[0, 0, 0, :2, 0].tolist() == [0, 1]
    assert "does not carry" in open_city([path], "valid", 8).describe()["scale_note"]
    for options in ({"taxibj_order": "reference"}, {"taxibj_split": "clean"}):
        with pytest.raises(MimError, match=r"dataset\.npz.*--taxibj_order"):
            open_city([path], "test", 8, **options)
    with pytest.raises(MimError, match=r"dataset\.npz"):
        open_city([path, tmp_path / "b.npz"], "test", 8)


@pytest.mark.parametrize(
    "stored",
    [
        arrays(Y_test=arrays(2)["Y_test"]),
        arrays(Y_test=arrays()["Y_test"][..., :4]),
        {key: part[:, :, :1] for key, part in arrays().items()},
        {key: part[:0] for key, part in arrays().items()},
        arrays(X_test=arrays()["X_test"][0]),
        arrays(X_test=np.zeros((3, 4, 2, 3, 5), int)),
        arrays(X_test=np.array([{}], object)),
        arrays(X_test=arrays()["X_test"][:, :3]),
        arrays(X_test=arrays()["X_test"] / 2 + 0.5),
        {"X_test": np.zeros(3), "clips": np.zeros(3)},
        *(arrays(**y_test(value)) for value in (np.nan, 1.01, -1.01, -np.inf)),
    ],
)
def test_npz_arrays_that_do_not_fit_are_refused(tmp_path, stored):
    np.savez(tmp_path / "dataset.npz", **stored)
    with pytest.raises(MimError, match=r"dataset\.npz"):
        open_city([tmp_path], "test", 8)


@pytest.fixture(scope="module")
def made_up():
    return synthetic_city()


def test_commuters_cross_the_city_on_working_days(made_up):
    assert made_up[0].dtype == np.float32
    assert np.array_equal(made_up[0], np.floor(made_up[0]))
    days = made_up[0].reshape(8, 7, 48, 2, 32, 32)
    for flow in days[:, :5].mean(axis=(0, 1, 4, 5)).T:
        assert 13 <= flow[:24].argmax() <= 19
        assert 34 <= flow[24:].argmax() + 24 <= 41
        assert flow[:8].mean() < flow.max() / 20
    assert days[:, 5:].mean() < days[:, :5].mean() / 2


def test_the_synthetic_city_is_read_as_files_are(monkeypatch, made_up):
    monkeypatch.setattr("mim_tf.data.sets.taxibj.synthetic_city", lambda: made_up)
    settings = {"taxibj_synthetic": True, "taxibj_split": "clean"}
    test, train = (open_city([], split, 48, **settings) for split in ("test", "train"))
    assert (test.size, test.shape) == (1344, (48, 32, 32, 2))
    assert train.size > 700
    description = test.describe()
    assert json.loads(json.dumps(description)) == description
    assert description["source"] == "synthetic city, made up; not TaxiBJ"
    frames = train.sequences([0, train.size - 1])
    assert 0 <= frames.min() <= frames.max() <= 1
