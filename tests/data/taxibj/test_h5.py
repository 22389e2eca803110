import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mim_tf.errors import MimError
from tests.taxibj_files import DATES_2013, assert_refused, counts, open_city, open_small, write_h5


@pytest.mark.parametrize("dtype", [np.float32, np.int16, ">f8"])
@pytest.mark.parametrize("compression", [None, "gzip", "lzf"])
def test_other_dtypes_and_compressed_files(tmp_path, dtype, compression):
    data = counts(191, 1)
    path = write_h5(tmp_path / "a.h5", data.astype(dtype), DATES_2013, compression=compression)
    np.testing.assert_allclose(
        open_small(path).sequences([19])[0],
        (data[186:].transpose(0, 2, 3, 1) - 1) / 98,
        atol=1e-6,
    )


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
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, data, date, words):
    assert_refused(tmp_path / "a.h5", data, date, words)


def test_texts_of_any_length_are_refused_as_dates(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["data"] = counts(191, 1)
        file["date"] = [date.decode() for date in DATES_2013]
    with pytest.raises(MimError, match=r"fixed length.*astype\('S10'\)"):
        open_small(path)


def test_missing_arrays_are_named(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["data"] = counts(191, 1)
    with pytest.raises(MimError, match=r"arrays data and date, found data; date is missing"):
        open_small(path)
    with h5py.File(path, "w") as file:
        file.create_group("data")
        file["date"] = h5py.Empty("S10")
    with pytest.raises(MimError, match=r"found data, date; data is missing or no array"):
        open_small(path)


def test_unreadable_files_are_refused(city, tmp_path):
    with pytest.raises(MimError, match=r"missing\.h5: .*no such file"):
        open_small(tmp_path / "missing.h5")
    with pytest.raises(MimError, match="found a folder"):
        open_city([tmp_path, tmp_path], "test", 5)
    whole = (city[0] / "BJ13_M32x32_T30_InOut.h5").read_bytes()
    for content in (b"", b"hello", whole[:-1], whole[: len(whole) // 2], whole[500:]):
        (tmp_path / "bad.h5").write_bytes(content)
        with pytest.raises(MimError, match=r"bad\.h5: .*cannot be read as HDF5.*again"):
            open_small(tmp_path / "bad.h5")


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
        open_small(path)


def data_bytes(options):
    return 4 * int(np.prod([int(n) for n in options["shape"]], dtype=object))


def test_content_that_shrinks_further_than_deflate_can_is_refused(tmp_path):
    data = np.ones((191, 2, 128, 128), np.int32)
    twice = {"chunks": data.shape, "scaleoffset": 0, "compression": "gzip"}
    path = write_h5(tmp_path / "a.h5", data, DATES_2013, **twice)
    assert data.nbytes > 1032 * path.stat().st_size
    with pytest.raises(MimError, match=f"data declares {data.nbytes} bytes"):
        open_small(path)


@pytest.fixture(scope="module", params=[None, "gzip"])
def whole(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "a.h5"
    return write_h5(path, counts(191, 1)[..., :1, :1], DATES_2013, compression=request.param)


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
        source = open_small(bad)
    except MimError:
        return
    frames = source.sequences(range(20))
    assert frames.min() >= 0
    assert frames.max() <= 1
