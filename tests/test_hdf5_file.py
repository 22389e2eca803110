import h5py
import numpy as np
import pytest

from mim_tf.data.sets.grid.files import open_datasets
from mim_tf.errors import MimError
from mim_tf.storage.hdf5 import check_hdf5, opened_hdf5
from tests.grid_files import dataset, write


@pytest.fixture
def fields(tmp_path):
    return write(tmp_path / "t2m.nc", dataset())


def zero(path, place, size):
    content = bytearray(path.read_bytes())
    content[place : place + size] = bytes(size)
    path.write_bytes(content)


def test_a_heap_of_zeros_is_refused(fields):
    # HDF5 would read it for ever.
    check_hdf5(fields)
    zero(fields, fields.read_bytes().index(b"GCOL") + 32, 200)
    for read in (check_hdf5, open_datasets):
        with pytest.raises(MimError, match="zeros in the place of an index"):
            read(fields)


def test_a_heap_at_the_end_of_a_large_file(tmp_path):
    path = tmp_path / "large.h5"
    with h5py.File(path, "w") as file:
        file["values"] = np.zeros(5 * 2**20, np.uint8)
        file["name"] = "of any length"
    place = path.read_bytes().index(b"GCOL")
    assert place > 4 * 2**20
    with opened_hdf5(path, "names") as file:
        assert file["name"][()] == b"of any length"
    zero(path, place + 16, 16)
    with pytest.raises(MimError, match="zeros"), opened_hdf5(path, "names"):
        pass


def test_what_is_no_hdf5(tmp_path):
    path = tmp_path / "a.h5"
    path.write_bytes(b"GCOL")
    with pytest.raises(MimError, match="cannot be read as HDF5"), opened_hdf5(path, "names"):
        pass
