import datetime

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mim_tf.data.taxibj import open_taxibj
from mim_tf.errors import MimError

# Four days of 2013, the second without its slot 10: 191 half hours. One day of 2014.
GAP = 48 + 9
ROWS_2013 = [*range(48), *range(95, 191)]


def dates(first, days, without=()):
    every = [
        b"%s%02d" % ((first + datetime.timedelta(day)).strftime("%Y%m%d").encode(), slot)
        for day in range(days)
        for slot in range(1, 49)
    ]
    return [date for index, date in enumerate(every) if index not in without]


DATES_2013 = dates(datetime.date(2013, 7, 1), 4, [GAP])
DATES_2014 = dates(datetime.date(2014, 3, 1), 1)


def counts(slots, seed):
    """Counts of 1 to 99; cells and channels differ."""
    return np.random.default_rng(seed).integers(1, 100, (slots, 2, 3, 4)).astype(np.float64)


def write(path, data, date, **options):
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=data, **options)
        file["date"] = np.array(date)
    return path


@pytest.fixture
def city(tmp_path):
    """Two files, their counts, with lowest 0 and highest 200 before the last 20 half hours."""
    first, second = counts(191, 1), counts(48, 2)
    first[3, 0, 1, 2], first[100, 1, 2, 3] = -7, 200
    first[50] = 9999
    folder = tmp_path / "TaxiBJ"
    folder.mkdir()
    write(folder / "BJ13_M32x32_T30_InOut.h5", first, DATES_2013)
    write(folder / "BJ14_M32x32_T30_InOut.h5", second, DATES_2014)
    (folder / "BJ_Holiday.txt").write_text("20130701")
    first[3, 0, 1, 2] = 0
    return folder, first, second


def small(path, split="test", **options):
    return open_taxibj([path], split, 5, test_windows=20, **options)


def test_windows_split_and_values(city):
    folder, first, second = city
    train, test = small(folder, "train"), small(folder, "test")
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


def test_days_that_follow_each_other_have_no_gap(city):
    folder, first, _ = city
    # Windows from the last half hour of 3 July into 4 July: rows 142 and 143 to 146.
    window = small(folder, "train").sequences([44 + 142 - 95])[0]
    np.testing.assert_allclose(window, first[142:147].transpose(0, 2, 3, 1) / 200, rtol=1e-6)


def test_valid_is_test(city):
    valid, test = small(city[0], "valid"), small(city[0], "test")
    np.testing.assert_array_equal(valid.sequences(range(20)), test.sequences(range(20)))


def test_reference_rule_overlaps_and_clean_does_not(city):
    folder, _, second = city
    reference, clean = small(folder, "train"), small(folder, "train", rule="clean")
    assert (reference.size, clean.size) == (160, 156)
    np.testing.assert_array_equal(clean.sequences(range(156)), reference.sequences(range(156)))
    # The first test window begins with half hour 24 of 2014.
    np.testing.assert_allclose(reference.sequences([159])[0, 4, :, :, 0], second[27, 0] / 200)
    np.testing.assert_allclose(clean.sequences([155])[0, 4, :, :, 0], second[23, 0] / 200)
    np.testing.assert_array_equal(
        small(folder, rule="clean").sequences(range(20)), small(folder).sequences(range(20))
    )


def test_clean_rule_takes_file_boundaries_into_account(city):
    folder, *_ = city
    # The 44 windows of 2014 are all for testing: no window of 2013 can share a slot with them.
    for rule in ("reference", "clean"):
        assert open_taxibj([folder], "train", 5, rule=rule, test_windows=44).size == 136


def test_reference_order_is_newest_first(city):
    for split in ("train", "test"):
        newest = small(city[0], split, order="reference").sequences([3, 17])
        np.testing.assert_array_equal(newest, small(city[0], split).sequences([3, 17])[:, ::-1])
        assert newest.flags.c_contiguous


def test_scale_gives_counts_back(city):
    folder, _, second = city
    source = small(folder)
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
    path = write(tmp_path / "a.h5", data, dates(datetime.date(2013, 7, 1), 4))
    source = small(path)
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
    assert small(folder, "train", rule="clean").describe() == expected
    assert small(folder).describe()["recordings"] == paths[1:]


def test_files_may_be_listed(city):
    folder, *_ = city
    paths = sorted(folder.glob("*.h5"))
    expected = small(folder, "train").sequences(range(160))
    (folder / "._BJ13_M32x32_T30_InOut.h5").write_bytes(b"what macOS leaves")
    (folder / "dataset.npz").write_bytes(b"not looked at")
    for given_paths in (paths, [str(path) for path in paths], [folder]):
        source = open_taxibj(given_paths, "train", 5, test_windows=20)
        np.testing.assert_array_equal(source.sequences(range(160)), expected)
    with pytest.raises(MimError, match=r"BJ13.* expected dates after those of .*BJ14.*year order"):
        open_taxibj(paths[::-1], "train", 5, test_windows=20)
    with pytest.raises(MimError, match=r"expected dates after those of .*BJ13"):
        open_taxibj([paths[0]] * 2, "train", 5, test_windows=20)


@pytest.mark.parametrize("dtype", [np.float32, np.int16, ">f8"])
@pytest.mark.parametrize("compression", [None, "gzip", "lzf"])
def test_other_dtypes_and_compressed_files(tmp_path, dtype, compression):
    data = counts(191, 1)
    path = write(tmp_path / "a.h5", data.astype(dtype), DATES_2013, compression=compression)
    np.testing.assert_allclose(
        small(path).sequences([19])[0],
        (data[186:].transpose(0, 2, 3, 1) - 1) / 98,
        atol=1e-6,
    )


def test_2019_number_of_test_windows_is_the_default(tmp_path):
    # 30 days without a gap: 1440 half hours.
    data = np.random.default_rng(0).random((1440, 2, 1, 1))
    path = write(tmp_path / "a.h5", data, dates(datetime.date(2013, 7, 1), 30))
    assert open_taxibj([path], "test", 8).size == 1344
    assert open_taxibj([path], "train", 8).size == 1433 - 1344
    assert open_taxibj([path], "train", 8, rule="clean").size == 1433 - 1344 - 7


@pytest.mark.parametrize(
    ("total_length", "rule", "received"),
    [(5, "reference", 136), (5, "clean", 136), (97, "reference", 0), (500, "reference", 0)],
)
def test_too_few_windows_are_refused(tmp_path, total_length, rule, received):
    path = write(tmp_path / "a.h5", counts(191, 1), DATES_2013)
    words = rf"windows of {total_length} .* 136 to test on, received {received}, .*{rule} rule"
    for split in ("train", "valid", "test"):
        with pytest.raises(MimError, match=words):
            open_taxibj([path], split, total_length, rule=rule, test_windows=136)


def test_one_clean_training_window_is_enough(tmp_path):
    path = write(tmp_path / "a.h5", counts(48, 1), DATES_2014)
    assert open_taxibj([path], "train", 5, rule="clean", test_windows=39).size == 1
    with pytest.raises(MimError, match="clean rule"):
        open_taxibj([path], "train", 5, rule="clean", test_windows=40)
    assert open_taxibj([path], "train", 5, test_windows=40).size == 4


def test_nothing_and_both_are_refused(tmp_path):
    with pytest.raises(MimError, match=r"received no path.*--taxibj_synthetic"):
        open_taxibj([], "train", 5)
    with pytest.raises(MimError, match=r"no files for the synthetic city, received .*"):
        open_taxibj([tmp_path], "train", 5, synthetic=True)
    with pytest.raises(MimError, match=r"expected files like BJ13.*found nothing"):
        small(tmp_path)
    (tmp_path / "BJ_Meteorology.h5").touch()
    with pytest.raises(MimError, match=r"expected files like BJ13.*found BJ_Meteorology\.h5"):
        small(tmp_path)
    for options in ({"order": "backwards"}, {"rule": "none"}, {"split": "all"}):
        with pytest.raises(MimError, match=f"{next(iter(options))} must be .* or .*received"):
            open_taxibj([tmp_path], **{"split": "test", "total_length": 5, **options})
    with pytest.raises(MimError, match="total_length must be at least 1, received 0"):
        open_taxibj([tmp_path], "test", 0)
    with pytest.raises(MimError, match="test_windows must be at least 1, received -1"):
        open_taxibj([tmp_path], "test", 5, test_windows=-1)


NAN = counts(191, 1)
NAN[100, 1, 2, 3] = np.nan
HUGE = counts(191, 1)
HUGE[100, 1, 2, 3] = 1e300


@pytest.mark.parametrize(
    ("data", "date", "words"),
    [
        (counts(190, 1), DATES_2013, r"same slots.*\[190, 2, 3, 4\] and date \[191\]"),
        (counts(0, 1), np.array([], "S10"), "at least one"),
        (counts(191, 1)[:, :1], DATES_2013, r"\[slots, 2, height, width\].*\[191, 1, 3, 4\]"),
        (counts(191, 1)[:, :, 0], DATES_2013, r"received float64 with shape \[191, 2, 4\]"),
        (counts(191, 1)[..., :0], DATES_2013, "at least one"),
        (counts(191, 1).astype("S5"), DATES_2013, r"data as numbers .*\|S5.*Convert"),
        (counts(191, 1) > 50, DATES_2013, "data as numbers .*bool"),
        (counts(191, 1), np.arange(191), r"date as byte strings.*int64"),
        (counts(191, 1), np.array(DATES_2013)[:, None], r"date as byte.*\[191, 1\]"),
        (NAN, DATES_2013, r"finite.*'2013070306'"),
        (counts(191, 1) - np.inf, DATES_2013, r"finite.*'2013070101'"),
        (HUGE, DATES_2013, r"finite.*'2013070306'"),
        (counts(191, 1) * 0 + 4, DATES_2013, r"counts that differ, received 4\.0"),
        (-counts(191, 1), DATES_2013, r"counts that differ, received 0\.0"),
        (counts(47, 1), DATES_2014[1:], "at least one day with all 48 slots, received 1"),
        (counts(191, 1), DATES_2013[::-1], r"increase, received '2013070448' and .*'2013070447'"),
        (counts(191, 1), [DATES_2013[0], *DATES_2013[:-1]], r"increase.* slots 0 and 1\. "),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, data, date, words):
    path = write(tmp_path / "a.h5", data, date)
    with pytest.raises(MimError, match=words) as caught:
        small(path)
    assert str(caught.value).startswith(f"{path}: expected")


@pytest.mark.parametrize(
    "date",
    [
        b"2013070149",
        b"2013070100",
        b"2013130101",
        b"2013023001",
        b"0000070101",
        b"20130701",
        b"2013-07-01",
        b"20130701 1",
        b"201307_101",
        b"20130701011",
        b"",
        b"\xff013070101",
    ],
)
def test_dates_that_are_none_are_refused(tmp_path, date):
    every = [*DATES_2013[:6], date, *DATES_2013[7:]]
    with pytest.raises(MimError, match=r"a\.h5: expected dates YYYYMMDDss .* in slot 6\. Correct"):
        small(write(tmp_path / "a.h5", counts(191, 1), every))


def test_bad_values_in_days_that_are_left_out_do_not_matter(tmp_path):
    data = counts(191, 1)
    data[50] = np.nan
    assert small(write(tmp_path / "a.h5", data, DATES_2013)).size == 20


def test_texts_of_any_length_are_refused_as_dates(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["data"] = counts(191, 1)
        file["date"] = [date.decode() for date in DATES_2013]
    with pytest.raises(MimError, match=r"fixed length.*astype\('S10'\)"):
        small(path)


def test_files_need_one_grid(tmp_path):
    first = write(tmp_path / "a.h5", counts(191, 1), DATES_2013)
    second = write(tmp_path / "b.h5", counts(48, 1)[:, :, :2], DATES_2014)
    with pytest.raises(MimError, match=r"b\.h5: expected the 3 x 4 cells .*a\.h5, received 2 x 4"):
        open_taxibj([first, second], "test", 5, test_windows=20)


def test_missing_arrays_are_named(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["data"] = counts(191, 1)
    with pytest.raises(MimError, match=r"arrays data and date, found data; date is missing"):
        small(path)
    with h5py.File(path, "w") as file:
        file.create_group("data")
        file["date"] = h5py.Empty("S10")
    with pytest.raises(MimError, match=r"found data, date; data is missing or no array"):
        small(path)


def test_unreadable_files_are_refused(city, tmp_path):
    with pytest.raises(MimError, match=r"missing\.h5: .*no such file"):
        small(tmp_path / "missing.h5")
    with pytest.raises(MimError, match="cannot be read as HDF5"):
        open_taxibj([tmp_path, tmp_path], "test", 5)
    whole = (city[0] / "BJ13_M32x32_T30_InOut.h5").read_bytes()
    for content in (b"", b"hello", whole[:-1], whole[: len(whole) // 2], whole[500:]):
        (tmp_path / "bad.h5").write_bytes(content)
        with pytest.raises(MimError, match=r"bad\.h5: .*cannot be read as HDF5.*again"):
            small(tmp_path / "bad.h5")


@pytest.mark.parametrize(
    "options",
    [
        {"shape": (10**10, 2, 32, 32), "chunks": (48, 2, 32, 32), "compression": "gzip"},
        {"shape": (10**10, 2, 32, 32), "chunks": (48, 2, 32, 32)},
        {"shape": (10**10, 2, 32, 32)},
        {"shape": (191, 2, 3, 4)},
        {"shape": (191, 2, 3, 4), "chunks": (48, 2, 3, 4)},
        {"shape": (191, 2, 3, 4), "external": "elsewhere"},
    ],
)
def test_declared_size_is_checked_before_memory_is_taken(tmp_path, options):
    (tmp_path / "elsewhere").write_bytes(bytes(191 * 24 * 4))
    path = tmp_path / "bomb.h5"
    with h5py.File(path, "w") as file:
        data = file.create_dataset("data", dtype="f4", **options)
        if data.chunks:
            data[:48] = 1
        file["more"] = np.zeros(10_000)
        file["date"] = np.array(DATES_2013)
    with pytest.raises(MimError, match=rf"bomb\.h5: data declares {data_bytes(options)} bytes"):
        small(path)


def data_bytes(options):
    return 4 * int(np.prod([int(n) for n in options["shape"]], dtype=object))


def test_content_that_shrinks_further_than_deflate_can_is_refused(tmp_path):
    data = np.ones((191, 2, 128, 128), np.int32)
    twice = {"chunks": data.shape, "scaleoffset": 0, "compression": "gzip"}
    path = write(tmp_path / "a.h5", data, DATES_2013, **twice)
    assert data.nbytes > 1032 * path.stat().st_size
    with pytest.raises(MimError, match=f"data declares {data.nbytes} bytes"):
        small(path)


@pytest.fixture(scope="module", params=[None, "gzip"])
def whole(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "a.h5"
    return write(path, counts(191, 1)[..., :1, :1], DATES_2013, compression=request.param)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damaged_bytes_surface_as_nothing_but_mim_error(whole, data):
    content = bytearray(whole.read_bytes())
    # Structures are in the first bytes; most of the rest are counts and dates.
    places = st.integers(0, 3000) | st.integers(0, len(content) - 1)
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=4)):
        content[place] = value
    content = content[: data.draw(st.just(len(content)) | st.integers(0, len(content)))]
    bad = whole.with_name("bad.h5")
    bad.write_bytes(content)
    try:
        source = small(bad)
    except MimError:
        return
    frames = source.sequences(range(20))
    assert frames.min() >= 0
    assert frames.max() <= 1


# The other layout.


def arrays(n=3, frames=4, seed=0):
    values = np.random.default_rng(seed).uniform(-1, 1, (4, n, frames, 2, 3, 5))
    return dict(zip(("X_train", "Y_train", "X_test", "Y_test"), values, strict=True))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_is_x_then_y(tmp_path, save, dtype):
    stored = {key: part.astype(dtype) for key, part in arrays().items()}
    stored["X_train"][0, 0, 0, 0, :2] = -1, 1
    save(tmp_path / "dataset.npz", **stored)
    for path in (tmp_path, tmp_path / "dataset.npz"):
        for split in ("train", "valid", "test"):
            name = "train" if split == "train" else "test"
            parts = [stored[f"X_{name}"][[2, 0]], stored[f"Y_{name}"][[2, 0]]]
            expected = (np.concatenate(parts, axis=1) + 1) / 2
            source = open_taxibj([path], split, 7)
            got = source.sequences([2, 0])
            assert (source.size, source.shape, source.scale) == (3, (7, 3, 5, 2), None)
            assert got.dtype == np.float32
            np.testing.assert_allclose(got, expected[:, :7].transpose(0, 1, 3, 4, 2), atol=1e-6)
    assert open_taxibj([tmp_path], "train", 8).sequences([0])[0, 0, 0, :2, 0].tolist() == [0, 1]


def test_npz_describes_that_it_has_no_scale(tmp_path):
    np.savez(tmp_path / "dataset.npz", **arrays())
    assert open_taxibj([tmp_path], "valid", 8).describe() == {
        "source": "TaxiBJ format, .npz",
        "paths": [str(tmp_path / "dataset.npz")],
        "arrays": ["X_test", "Y_test"],
        "sequences": 3,
        "shape": [8, 3, 5, 2],
        "scale": None,
        "scale_note": "the file does not carry the lowest and highest count",
    }


def test_npz_has_no_other_order_split_or_company(tmp_path):
    path = tmp_path / "dataset.npz"
    np.savez(path, **arrays())
    for options in ({"order": "reference"}, {"rule": "clean"}):
        with pytest.raises(MimError, match=r"has no dates.*taxibj_order=chronological"):
            open_taxibj([path], "test", 8, **options)
    with pytest.raises(MimError, match=r"one \.npz file"):
        open_taxibj([path, path], "test", 8)


def changed(value):
    values = arrays()["Y_test"]
    values[1, 2, 0, 1, 1] = value
    return {"Y_test": values}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"Y_test": arrays(2)["Y_test"]}, r"of the same N.*\[3, 4, 2, 3, 5\] and \[2, 4, 2, 3, 5"),
        ({"Y_test": arrays()["Y_test"][..., :4]}, "of the same N, height and width"),
        ({key: part[:, :, :1] for key, part in arrays().items()}, r"frames, 2, height"),
        ({key: part[:0] for key, part in arrays().items()}, "at least one"),
        ({"X_test": arrays()["X_test"][0]}, "X_test as floats with 5 axes"),
        ({"X_test": np.zeros((3, 4, 2, 3, 5), int)}, "X_test as floats.*int64"),
        ({"X_test": np.array([{}], object)}, "pickled Python objects"),
        ({"X_test": arrays()["X_test"][:, :3]}, "lengths do not fit.*= 8 frames.*received 7"),
        (changed(np.nan), r"Y_test: expected values in \[-1, 1\], received nan .*sequence 1\."),
        (changed(1.01), r"Y_test: expected values in \[-1, 1\], .* to 1.01 in sequence 1\."),
        (changed(-1.01), r"received -1.01 to .* in sequence 1\."),
        (changed(-np.inf), r"received -inf to .* in sequence 1\."),
    ],
)
def test_npz_arrays_that_do_not_fit_are_refused(tmp_path, changes, words):
    np.savez(tmp_path / "dataset.npz", **arrays() | changes)
    with pytest.raises(MimError, match=words) as caught:
        open_taxibj([tmp_path], "test", 8)
    assert "dataset.npz" in str(caught.value)


def test_npz_range_is_checked_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr("mim_tf.data.taxibj.npz.CHUNK_VALUES", 1)
    np.savez(tmp_path / "dataset.npz", **arrays() | changed(2))
    with pytest.raises(MimError, match=r"to 2.0 in sequence 1\."):
        open_taxibj([tmp_path], "test", 8)
    assert open_taxibj([tmp_path], "train", 8).size == 3


def test_npz_needs_its_arrays(tmp_path):
    np.savez(tmp_path / "dataset.npz", X_train=np.zeros(3), clips=np.zeros(3))
    with pytest.raises(MimError, match=r"X_train and Y_train, found X_train, clips"):
        open_taxibj([tmp_path], "train", 8)
    for content in (b"", b"hello"):
        (tmp_path / "dataset.npz").write_bytes(content)
        with pytest.raises(MimError, match="cannot be read"):
            open_taxibj([tmp_path], "train", 8)


@settings(max_examples=60, deadline=None)
@given(place=st.integers(0, 10**6), value=st.integers(0, 255))
def test_damaged_npz_surfaces_as_nothing_but_mim_error(tmp_path_factory, place, value):
    path = tmp_path_factory.getbasetemp() / "damaged-dataset.npz"
    np.savez(path, **{key: part[..., :1, :1] for key, part in arrays(1, 2).items()})
    content = bytearray(path.read_bytes())
    content[place % len(content)] = value
    path.write_bytes(content)
    try:
        source = open_taxibj([path], "train", 4)
    except MimError:
        return
    frames = source.sequences([0])
    assert frames.min() >= 0
    assert frames.max() <= 1
