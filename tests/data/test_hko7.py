import numpy as np
import pytest

from mim_tf.config import DataConfig
from mim_tf.data.sets.hko7 import RAIN, dbz_of_rain, open_hko7, rain_of_dbz, shape_of_hko7
from mim_tf.errors import MimError
from tests.hko7_files import DAYS, SIZE, times, write_frame, write_hko7


def opened(folder, split="train", total_length=25, shape=(*SIZE, 1), **settings):
    data = DataConfig("hko7", folder, **settings)
    return open_hko7(data, split, shape, total_length)


def levels(source, *indices):
    """The levels of a pixel, -1 where it is missing."""
    values = source.sequences(indices)[..., 2, 2, 0] * 255
    return np.rint(np.where(np.isnan(values), -1, values)).astype(int).tolist()


def test_rain_follows_from_reflectivity():
    # Z = 58.53 R^1.56
    assert rain_of_dbz(10 * np.log10(58.53)) == pytest.approx(1)
    assert rain_of_dbz(10 * np.log10(58.53 * 10**1.56)) == pytest.approx(10)
    dbz = np.arange(-10.0, 60)
    np.testing.assert_allclose(dbz_of_rain(rain_of_dbz(dbz)), dbz, atol=1e-9)
    # The thresholds of the benchmark as levels of its pictures.
    unit = RAIN.to_unit([0.5, 2, 5, 10, 30])
    assert (unit * 255).round().tolist() == [84, 118, 141, 158, 185]


def test_windows_of_the_days_of_a_split(tmp_path):
    write_hko7(tmp_path)
    assert shape_of_hko7(DataConfig("hko7", tmp_path)) == (*SIZE, 1)
    for number, split in enumerate(("train", "valid", "test")):
        source = opened(tmp_path, split)
        assert (source.size, source.shape) == (3, (25, *SIZE, 1))
        assert levels(source, 2) == [[100 * number + n for n in range(2, 27)]]
        assert not np.isnan(source.sequences([0, 1, 2])).any()
    assert opened(tmp_path, "all").size == 9
    assert (source.scale.low, source.scale.high, source.scale.unit) == (-10, 60, "dBZ")
    assert source.thresholds == (0.5, 2, 5, 10, 30)
    assert source.threshold_scale is RAIN


def test_pixels_that_a_mask_leaves_out_are_missing(tmp_path):
    write_hko7(tmp_path)
    counts = np.ones(SIZE, bool)
    counts[1, 3:5] = False
    write_frame(tmp_path, times(DAYS["train"], 4)[3], 3, counts)
    missing = np.isnan(opened(tmp_path).sequences([0]))
    assert np.argwhere(missing).tolist() == [[0, 3, 1, 3, 0], [0, 3, 1, 4, 0]]


def test_up_to_two_frames_in_a_row_may_be_missing(tmp_path):
    write_hko7(tmp_path)
    gone = times(DAYS["train"], 10)
    for n in (2, 3, 6, 7, 8):
        (tmp_path / f"radarPNG/{gone[n]:%Y/%m/%d/RAD%y%m%d%H%M%S}.png").unlink()
    source = opened(tmp_path, total_length=6)
    # From 0 to 5, and from 9 to 26; none across the three that are missing.
    assert source.size == 1 + 13
    assert levels(source, 0, 1) == [[0, 1, -1, -1, 4, 5], [9, 10, 11, 12, 13, 14]]
    assert np.isnan(source.sequences([0])[0, 2:4]).all()


def test_windows_go_on_at_midnight(tmp_path):
    for day in ("20140501", "20140502"):
        for time in [*times(day, 3), *times(day, 240)[-3:]]:
            write_frame(tmp_path, time, 1)
    (tmp_path / "hko7_rainy_train_days.txt").write_text("20140501, 0.3\n20140502, 0.4\n\n")
    # Three, six across midnight, and three of them.
    assert opened(tmp_path, total_length=5).size == 6 - 4


def test_resizing_averages_the_pixels_that_count(tmp_path):
    write_hko7(tmp_path)
    counts = np.ones(SIZE, bool)
    counts[:2, :2] = counts[2, 2] = False
    write_frame(tmp_path, times(DAYS["train"], 9)[8], 8, counts)
    (window,) = opened(tmp_path, shape=(4, 6, 1), resize=True).sequences([0])
    assert window.shape == (25, 4, 6, 1)
    assert np.argwhere(np.isnan(window)).tolist() == [[8, 0, 0, 0]]
    np.testing.assert_allclose(window[8, 1, 1, 0], 8 / 255, rtol=1e-6)


def test_without_masks_every_pixel_counts(tmp_path, caplog):
    write_hko7(tmp_path)
    (tmp_path / "radarPNG_mask").rename(tmp_path / "elsewhere")
    source = opened(tmp_path)
    assert "radarPNG_mask" in caplog.text
    assert not np.isnan(source.sequences([0])).any()


def test_a_mask_or_frame_that_does_not_fit_is_refused_when_it_is_read(tmp_path):
    write_hko7(tmp_path)
    write_frame(tmp_path, times(DAYS["train"], 1)[0], 0, size=(4, 4))
    with pytest.raises(MimError, match=r"RAD140501000600\.png"):
        opened(tmp_path, total_length=2, shape=(4, 4, 1)).sequences([0])
    _, mask = write_frame(tmp_path, times(DAYS["train"], 1)[0], 0)
    for damage in (lambda: mask.write_bytes(b"no mask"), mask.unlink):
        damage()
        with pytest.raises(MimError, match=r"RAD140501000000\.mask"):
            opened(tmp_path).sequences([0])


@pytest.mark.parametrize(
    ("path", "content", "named"),
    [
        ("radarPNG/2014/05/01/RAD140532000000.png", "", "RAD140532000000.png"),
        ("hko7_rainy_train_days.txt", "20140501\nMay 2\n", "May 2"),
        ("hko7_rainy_train_days.txt", "20120501\n", "data"),
        ("hko7_rainy_train_days.txt", None, "hko7_rainy_train_days.txt"),
    ],
)
def test_bad_names_and_days_are_refused(tmp_path, path, content, named):
    write_hko7(tmp_path / "data")
    (tmp_path / "data" / path).unlink(missing_ok=True)
    if content is not None:
        (tmp_path / "data" / path).write_text(content)
    with pytest.raises(MimError, match=named):
        opened(tmp_path / "data")
