import numpy as np
import pytest

from mim_tf.errors import MimError
from tests.taxibj_files import DATES_2013, DATES_2014, counts, open_city, open_small, write_h5


def test_days_that_follow_each_other_have_no_gap(city):
    folder, first, _ = city
    # Windows from the last half hour of 3 July into 4 July: rows 142 and 143 to 146.
    window = open_small(folder, "train").sequences([44 + 142 - 95])[0]
    np.testing.assert_allclose(window, first[142:147].transpose(0, 2, 3, 1) / 200, rtol=1e-6)


def test_reference_rule_overlaps_and_clean_does_not(city):
    folder, _, second = city
    reference, clean = (
        open_small(folder, "train"),
        open_small(folder, "train", taxibj_split="clean"),
    )
    assert (reference.size, clean.size) == (160, 156)
    np.testing.assert_array_equal(clean.sequences(range(156)), reference.sequences(range(156)))
    # The first test window begins with half hour 24 of 2014.
    np.testing.assert_allclose(reference.sequences([159])[0, 4, :, :, 0], second[27, 0] / 200)
    np.testing.assert_allclose(clean.sequences([155])[0, 4, :, :, 0], second[23, 0] / 200)
    np.testing.assert_array_equal(
        open_small(folder, taxibj_split="clean").sequences(range(20)),
        open_small(folder).sequences(range(20)),
    )


def test_clean_rule_takes_file_boundaries_into_account(city):
    folder, *_ = city
    # The 44 windows of 2014 are all for testing: no window of 2013 can share a slot with them.
    for rule in ("reference", "clean"):
        assert open_city([folder], "train", 5, taxibj_split=rule, test_windows=44).size == 136


def test_reference_order_is_newest_first(city):
    for split in ("train", "test"):
        newest = open_small(city[0], split, taxibj_order="reference").sequences([3, 17])
        np.testing.assert_array_equal(
            newest, open_small(city[0], split).sequences([3, 17])[:, ::-1]
        )
        assert newest.flags.c_contiguous


@pytest.mark.parametrize(
    ("total_length", "rule", "received"),
    [(5, "reference", 136), (5, "clean", 136), (97, "reference", 0), (500, "reference", 0)],
)
def test_too_few_windows_are_refused(tmp_path, total_length, rule, received):
    path = write_h5(tmp_path / "a.h5", counts(191, 1), DATES_2013)
    words = rf"windows of {total_length} .* 136 to test on, received {received}, .*{rule} rule"
    for split in ("train", "valid", "test"):
        with pytest.raises(MimError, match=words):
            open_city([path], split, total_length, taxibj_split=rule, test_windows=136)


def test_one_clean_training_window_is_enough(tmp_path):
    path = write_h5(tmp_path / "a.h5", counts(48, 1), DATES_2014)
    assert open_city([path], "train", 5, taxibj_split="clean", test_windows=39).size == 1
    with pytest.raises(MimError, match="clean rule"):
        open_city([path], "train", 5, taxibj_split="clean", test_windows=40)
    assert open_city([path], "train", 5, test_windows=40).size == 4
