import hashlib
import json

import h5py
import numpy as np
import pytest

from mim_tf.data.taxibj import open_taxibj
from mim_tf.data.taxibj import synthetic_city as module
from mim_tf.data.taxibj.days import complete_days
from mim_tf.data.taxibj.synthetic_city import synthetic_city, write_taxibj
from mim_tf.errors import MimError


@pytest.fixture(scope="module")
def city():
    return synthetic_city()


def daily(city):
    """Counts of the complete days, `[days, 48, H, W, 2]`, and their weekdays, 0 for Monday."""
    years = [complete_days(year) for year in city]
    times = np.concatenate([year.times for year in years])[::48]
    # Times count from a Sunday, the day before 1 January of year 1.
    weekdays = (times // 48 - 1) % 7
    return np.concatenate([y.counts for y in years]).reshape(-1, 48, 32, 32, 2), weekdays


def test_it_has_what_the_cleaning_is_for(city):
    assert [len(year.dates) for year in city] == [21 * 48 - 4, 33 * 48 - 2]
    for year, dropped in zip(city, (1, 2), strict=True):
        assert year.data.shape == (len(year.dates), 2, 32, 32)
        assert year.data.dtype == np.float32
        assert np.array_equal(year.data, np.floor(year.data))
        assert -10 < year.data.min() < 0
        days = complete_days(year)
        assert days.dropped == dropped
        assert days.counts.min() == 0
        assert "synthetic" in year.name


def test_it_is_the_same_anywhere_and_depends_on_the_seed(city):
    digest = hashlib.sha256(b"".join(year.data.astype("<f4").tobytes() for year in city))
    assert digest.hexdigest()[:16] == "f87a483b37a2eb73"
    assert not np.array_equal(city[0].data, synthetic_city(1)[0].data)


def test_commuters_cross_the_city_on_working_days(city):
    counts, weekdays = daily(city)
    centre = np.zeros((32, 32), bool)
    centre[11:21, 11:21] = True
    working = counts[weekdays < 5].mean(axis=0)
    weekend = counts[weekdays >= 5].mean(axis=0)
    inward, outward = working[..., 0].sum(axis=(1, 2)), working[..., 1].sum(axis=(1, 2))
    for flow in (inward, outward):
        assert 13 <= flow[:24].argmax() <= 19
        assert 34 <= flow[24:].argmax() + 24 <= 41
        assert flow[:8].mean() < flow.max() / 20
    # Into the centre in the morning, out of it in the evening.
    balance = (working[..., 0] - working[..., 1])[:, centre].sum(axis=1)
    assert balance[13:20].sum() > 0 > balance[34:41].sum()
    # Weekends: less in the rush hours, more at noon.
    assert weekend[13:20].sum() < working[13:20].sum() / 2
    assert weekend[26:30].sum() > working[26:30].sum()


def test_windows_move(city):
    counts, _ = daily(city)
    change = np.abs(np.diff(counts, axis=1)).mean()
    assert change > 0.1 * counts.mean()


def test_it_goes_through_the_same_way_as_files(tmp_path):
    paths = write_taxibj(tmp_path / "city")
    assert [path.name for path in paths] == [
        "SYNTHETIC1_M32x32_T30_InOut.h5",
        "SYNTHETIC2_M32x32_T30_InOut.h5",
    ]
    assert sorted((tmp_path / "city").iterdir()) == paths
    with h5py.File(paths[0]) as file:
        assert "synthetic" in file.attrs["source"]
    test = open_taxibj([], "test", 8, synthetic=True)
    read = open_taxibj([tmp_path / "city"], "test", 8)
    assert (test.size, test.shape) == (1344, (8, 32, 32, 2))
    some = range(0, 1344, 50)
    np.testing.assert_array_equal(test.sequences(some), read.sequences(some))
    assert test.scale == read.scale
    description = test.describe()
    assert json.loads(json.dumps(description)) == description
    assert description["source"] == "synthetic city, made up; not TaxiBJ"
    assert description["recordings"] == ["synthetic city, year 2"]
    assert description["dropped_days"] == 3


@pytest.mark.parametrize("total_length", [8, 48])
def test_it_is_long_enough_to_train_on(total_length):
    train = open_taxibj([], "train", total_length, rule="clean", synthetic=True)
    assert train.size > 700
    frames = train.sequences([0, train.size - 1])
    assert frames.min() >= 0
    assert frames.max() <= 1


def test_writer_does_not_overwrite(tmp_path):
    second = tmp_path / "SYNTHETIC2_M32x32_T30_InOut.h5"
    second.write_text("precious")
    with pytest.raises(MimError, match=r"SYNTHETIC2.* exists already"):
        write_taxibj(tmp_path)
    assert second.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [second]


def test_failed_writing_leaves_nothing(tmp_path, monkeypatch, city):
    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr(module, "synthetic_city", lambda seed: city)
    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(MimError, match=r"cannot be written to: disk full"):
        write_taxibj(tmp_path)
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").touch()
    with pytest.raises(MimError, match="cannot be written to"):
        write_taxibj(tmp_path / "file" / "folder")
