"""The `.h5` files of TaxiBJ, as they are stored."""

import contextlib
import dataclasses
import math
import os
from pathlib import Path

import h5py
import numpy as np

from mim_tf.data.files.npz_member import LARGEST_DEFLATE_RATIO
from mim_tf.errors import MimError
from mim_tf.hdf5_file import opened_hdf5

CHANNELS = 2


@dataclasses.dataclass
class RawSlots:
    """The half hours of one file, nothing left out.

    Attributes:
        name: file or other origin, shown in messages.
        data: float32 `[slots, 2, H, W]`, inflow and outflow in vehicles a half hour.
        dates: byte strings `YYYYMMDDss`, one a slot; ss from 01 to 48.
    """

    name: str
    data: np.ndarray
    dates: list[bytes]


def read_h5(path: str | Path) -> RawSlots:
    """Reads one file; its dates are not looked at yet.

    Raises `MimError` for files that are missing, truncated or no HDF5, other keys, dtypes or
    shapes, and a declared size that the content cannot have, before memory is taken for it.
    """
    with _opened(path) as (data, date):
        return RawSlots(str(path), data.astype(np.float32)[...], date[...].tolist())


def read_h5_grid(path: str | Path) -> tuple[int, int]:
    """(height, width) of the cells of a city; its counts are not read. Raises as `read_h5`."""
    with _opened(path) as (data, _):
        return data.shape[2:]


@contextlib.contextmanager
def _opened(path):
    """The data sets `data` and `date` of a file, of the right dtypes and shapes."""
    with opened_hdf5(path, "an .h5 file of TaxiBJ", "Download it again.") as file:
        data, date = (_dataset(path, file, key) for key in ("data", "date"))
        _check_kinds(path, data, date)
        for dataset in (data, date):
            _check_stored(path, dataset)
        if len(data) != len(date) or 0 in data.shape:
            raise MimError(
                f"{path}: expected data and date for the same slots, at least one, received data "
                f"{list(data.shape)} and date {list(date.shape)}. Use the whole file."
            )
        yield data, date


def _dataset(path, file, key):
    dataset = file.get(key)
    if not isinstance(dataset, h5py.Dataset) or dataset.shape is None:
        raise MimError(
            f"{path}: expected the arrays data and date, found {', '.join(file) or 'nothing'}; "
            f"{key} is missing or no array. Use a file like BJ13_M32x32_T30_InOut.h5."
        )
    return dataset


def _check_kinds(path, data, date):
    if data.dtype.kind not in "iuf" or len(data.shape) != 4 or data.shape[1] != CHANNELS:
        raise MimError(
            f"{path}: expected data as numbers [slots, {CHANNELS}, height, width], received "
            f"{data.dtype} with shape {list(data.shape)}. Convert it."
        )
    if date.dtype.kind != "S" or len(date.shape) != 1:
        raise MimError(
            f"{path}: expected date as byte strings YYYYMMDDss of a fixed length [slots], "
            f"received {date.dtype} with shape {list(date.shape)}. Convert it with astype('S10')."
        )


def _check_stored(path, dataset):
    """Raises `MimError` if the file does not or cannot hold all of a dataset."""
    # Datasets and chunks that were never written, and virtual ones, would read as zeros.
    if dataset.chunks is None:
        stored = dataset.id.get_storage_size() == dataset.nbytes and not dataset.external
        largest, possible = dataset.nbytes, os.path.getsize(path)
    else:
        shapes = zip(dataset.shape, dataset.chunks, strict=True)
        stored = dataset.id.get_num_chunks() == math.prod(-(-n // chunk) for n, chunk in shapes)
        largest = max(dataset.nbytes, math.prod(dataset.chunks) * dataset.dtype.itemsize)
        possible = os.path.getsize(path) * LARGEST_DEFLATE_RATIO
    if not stored or largest > possible:
        key = dataset.name.lstrip("/")
        raise MimError(
            f"{path}: {key} declares {dataset.nbytes} bytes, but the file's content is not of "
            "that size. It is damaged, was not written to its end, or refers to other files; "
            "download it again."
        )
