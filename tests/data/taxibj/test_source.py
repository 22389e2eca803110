import datetime

import numpy as np
import pytest

from mim_tf.errors import MimError
from tests.taxibj_files import (
    DATES_2013,
    DATES_2014,
    assert_refused,
    counts,
    dates,
    open_city,
    open_small,
    write_h5,
)


def test_windows_split_and_values(city):
    folder, first, second = city
    train, test = open_small(folder, "train"), open_small(folder, "test")
    assert train.shape == test.shape == (5, 3, 4, 2)
    # 44 windows of five in the day before the gap, 92 in the two days after it, 44 in 2014.
    assert (train.size, test.size) == (44 + 92 + 24, 20)
    expected = [(first, 0), (first, 43), (first, 95), (first, 186), (second, 0), (second, 23)]
    got = train.sequences([0, 43, 44, 135, 136, 159])
    assert got.dtype == np.float32
    for window, (data, start) in zip(got, expected, strict=True):
        np.testing.assert_allclose(
            window, data[start : start + 5].transpose(0, 2, 3, 1) / 200, rtol=1e-6
        )
    np.testing.assert_allclose(
        test.sequences([19, 0]),
        np.stack([second[43:48], second[24:29]]).transpose(0, 1, 3, 4, 2) / 200,
        rtol=1e-6,
    )


def test_valid_is_test(city):
    valid, test = open_small(city[0], "valid"), open_small(city[0], "test")
    np.testing.assert_array_equal(valid.sequences(range(20)), test.sequences(range(20)))


def test_2019_number_of_test_windows_is_the_default(tmp_path):
    # 30 days without a gap: 1440 half hours.
    data = np.random.default_rng(0).random((1440, 2, 1, 1))
    path = write_h5(tmp_path / "a.h5", data, dates(datetime.date(2013, 7, 1), 30))
    assert open_city([path], "test", 8).size == 1344
    assert open_city([path], "train", 8).size == 1433 - 1344
    assert open_city([path], "train", 8, taxibj_split="clean").size == 1433 - 1344 - 7


def test_scale_gives_counts_back(city):
    folder, _, second = city
    source = open_small(folder)
    assert (source.scale.unit, source.scale.low, source.scale.high) == ("vehicles", 0, 200)
    np.testing.assert_allclose(
        source.scale.to_physical(source.sequences([19])[0]),
        second[43:48].transpose(0, 2, 3, 1),
        rtol=1e-6,
    )


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
    assert frames.min() == 0
    assert frames.max() == 1
    np.testing.assert_array_equal(frames[19, 4, 0, :2, 0], [1, 1])
    assert frames[19, 4, 0, 0, 1] == 0


def test_description_is_json_types(city):
    folder, *_ = city
    paths = [str(folder / f"BJ{year}_M32x32_T30_InOut.h5") for year in (13, 14)]
    expected = {
        "source": "TaxiBJ format, .h5",
        "paths": paths,
        "order": "chronological",
        "rule": "clean",
        "test_windows": 20,
        "scale": {"unit": "vehicles", "low": 0.0, "high": 200.0},
        "dropped_days": 1,
        "clipped_values": 0,
        "sequences": 156,
        "shape": [5, 3, 4, 2],
        "recordings": paths,
    }
    assert open_small(folder, "train", taxibj_split="clean").describe() == expected
    assert open_small(folder).describe()["recordings"] == paths[1:]


def test_a_listed_file_may_have_any_name(city):
    folder, *_ = city
    other = (folder / "BJ13_M32x32_T30_InOut.h5").rename(folder / "NYC.h5")
    assert open_city([other], "train", 5, test_windows=20).size == 44 + 92 - 20


def test_files_may_be_listed(city):
    folder, *_ = city
    paths = sorted(folder.glob("*.h5"))
    expected = open_small(folder, "train").sequences(range(160))
    (folder / "._BJ13_M32x32_T30_InOut.h5").write_bytes(b"what macOS leaves")
    (folder / "dataset.npz").write_bytes(b"not looked at")
    for given_paths in (paths, [str(path) for path in paths], [folder]):
        source = open_city(given_paths, "train", 5, test_windows=20)
        np.testing.assert_array_equal(source.sequences(range(160)), expected)
    with pytest.raises(MimError, match=r"BJ13.* expected dates after those of .*BJ14.*year order"):
        open_city(paths[::-1], "train", 5, test_windows=20)
    with pytest.raises(MimError, match=r"expected dates after those of .*BJ13"):
        open_city([paths[0]] * 2, "train", 5, test_windows=20)


def test_nothing_and_both_are_refused(tmp_path):
    with pytest.raises(MimError, match=r"received no path.*--taxibj_synthetic"):
        open_city([], "train", 5)
    with pytest.raises(MimError, match=r"no files for the synthetic city, received .*"):
        open_city([tmp_path], "train", 5, taxibj_synthetic=True)
    with pytest.raises(MimError, match=r"\*_InOut\.h5, .*found nothing"):
        open_small(tmp_path)
    (tmp_path / "BJ_Meteorology.h5").touch()
    with pytest.raises(MimError, match=r"found BJ_Meteorology\.h5\. .* or give the files"):
        open_small(tmp_path)


@pytest.mark.parametrize(
    ("data", "date", "words"),
    [
        (counts(191, 1) * 0 + 4, DATES_2013, r"counts that differ, received 4\.0"),
        (-counts(191, 1), DATES_2013, r"counts that differ, received 0\.0"),
    ],
)
def test_counts_that_do_not_differ_are_refused(tmp_path, data, date, words):
    assert_refused(tmp_path / "a.h5", data, date, words)


def test_files_need_one_grid(tmp_path):
    first = write_h5(tmp_path / "a.h5", counts(191, 1), DATES_2013)
    second = write_h5(tmp_path / "b.h5", counts(48, 1)[:, :, :2], DATES_2014)
    with pytest.raises(MimError, match=r"b\.h5: expected the 3 x 4 cells .*a\.h5, received 2 x 4"):
        open_city([first, second], "test", 5, test_windows=20)
