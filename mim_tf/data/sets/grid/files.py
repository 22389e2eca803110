"""NetCDF files, GRIB files and Zarr stores, opened as xarray data sets that read lazily."""

import contextlib
import glob
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

from mim_tf.data.files.images import natural_order
from mim_tf.errors import MimError
from mim_tf.runtime.optional import import_xarray
from mim_tf.storage.hdf5 import check_hdf5
from mim_tf.storage.paths import list_folder, opened, walk

SUFFIXES = (".nc", ".nc4", ".cdf", ".netcdf", ".grib", ".grib2", ".grb", ".grb2", ".zarr")
"""Names of files and stores; which format it is follows from the first bytes."""

_ZARR_METADATA = ("zarr.json", ".zgroup", ".zmetadata", ".zattrs")
_ENGINES = {b"\x89HDF": "h5netcdf", b"CDF": "scipy", b"GRIB": "cfgrib"}
_WAIT = "If it is still being written, wait; otherwise write or download it again."


def is_grid(path: Path) -> bool:
    """Return whether a path has the name or the content of a file or store with coordinates."""
    return path.suffix.lower() in SUFFIXES or any(
        os.path.exists(path / name) for name in _ZARR_METADATA
    )


def is_pattern(path: Path) -> bool:
    """Return whether a path is a pattern for files with coordinates, such as data/*.nc."""
    return (
        glob.has_magic(str(path)) and not os.path.exists(path) and path.suffix.lower() in SUFFIXES
    )


def expand(paths: list[Path]) -> list[Path]:
    """Return the files and stores at `paths`, which may be patterns or folders of them."""
    return [found for path in paths for found in _expanded(path)]


def _expanded(path):
    if os.path.exists(path) and (os.path.isfile(path) or is_grid(path)):
        return [path]
    if os.path.isdir(path):
        found = [child for child in list_folder(path) if is_grid(child) and child.name[0] != "."]
    else:
        found = [Path(name) for name in glob.glob(str(path), recursive=True)]
    if not found:
        raise MimError(
            f"{path}: expected a NetCDF or GRIB file, a Zarr store, a pattern such as 'data/*.nc', "
            f"or a folder of them ({', '.join(SUFFIXES)}), got none. Check the path."
        )
    return sorted(found, key=natural_order)


def open_datasets(path: Path) -> list:
    """Return what a file or store holds, as xarray data sets.

    A GRIB file whose messages do not fit into one data set gives several. No index file is written.
    """
    engine = _engine(path)
    if engine == "zarr":
        # Zarr would never finish to read a named pipe or a device.
        for folder, names in walk(path, "a Zarr store"):
            for name in names:
                if not os.path.isfile(folder / name):
                    raise MimError(f"{folder / name}: expected a regular file of a Zarr store.")
    if engine == "h5netcdf":
        check_hdf5(path)
    xarray = import_xarray(*([] if engine == "scipy" else [engine]))  # xarray itself needs SciPy
    # Warnings about missing Zarr metadata and broken conventions do not help here.
    with read_errors(path), warnings.catch_warnings(action="ignore"):
        if engine == "cfgrib":
            import cfgrib

            return cfgrib.open_datasets(
                str(path), backend_kwargs={"indexpath": ""}, decode_timedelta=False
            )
        return [xarray.open_dataset(path, engine=engine, cache=False, decode_timedelta=False)]


def _engine(path):
    if os.path.isdir(path):
        if any(os.path.exists(path / name) for name in _ZARR_METADATA):
            return "zarr"
        raise MimError(
            f"{path}: expected a Zarr store, got a folder without {' or '.join(_ZARR_METADATA)}. "
            f"{_WAIT}"
        )
    with opened(path, "a file of fields") as file:
        start = file.read(8)
    for magic, engine in _ENGINES.items():
        if start.startswith(magic):
            return engine
    got = f"a file that starts with {start!r}" if start else "an empty file"
    raise MimError(f"{path}: expected NetCDF, GRIB or a Zarr store, got {got}. {_WAIT}")


@contextlib.contextmanager
def read_errors(path: Path) -> Iterator[None]:
    """Turn every exception inside into a `MimError` that names `path`."""
    try:
        yield
    except MimError:
        raise
    except Exception as error:  # HDF5, Zarr's codecs and eccodes raise classes of their own
        text = str(error).strip() or type(error).__name__
        if isinstance(error, BlockingIOError) or "unable to lock" in text.lower():
            reason = "is being written by another process. Wait until it has finished."
        elif "cftime" in text:
            reason = 'has a calendar that needs the package cftime: pip install "mim_tf[grid]".'
        else:
            reason = f"cannot be read: {text.splitlines()[0]}. {_WAIT}"
        raise MimError(f"{path} {reason}") from None
