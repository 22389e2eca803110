"""Two files of TaxiBJ."""

import pytest

from tests.taxibj_files import DATES_2013, DATES_2014, counts, write_h5


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
