"""NetCDF files, GRIB files and Zarr stores as xarray data sets; no field is read yet."""

import glob
import os
import warnings
from pathlib import Path

from mim_tf.data.files.images import natural_order
from mim_tf.errors import MimError
from mim_tf.runtime.optional import import_xarray
from mim_tf.storage.hdf5 import check_hdf5
from mim_tf.storage.paths import list_folder, opened, walk

SUFFIXES = (".nc", ".nc4", ".cdf", ".netcdf", ".grib", ".grib2", ".grb", ".grb2", ".zarr")
"""Of files and stores; inside one, its first bytes say what it is."""

_ZARR_METADATA = ("zarr.json", ".zgroup", ".zmetadata", ".zattrs")


def is_grid(path: Path) -> bool:
    """Whether a path is named or built like a file or store with coordinates."""
    return path.suffix.lower() in SUFFIXES or any(
        os.path.exists(path / name) for name in _ZARR_METADATA
    )


def is_pattern(path: Path) -> bool:
    """Whether a path stands for several files with coordinates, such as data/*.nc."""
    return (
        glob.has_magic(str(path)) and not os.path.exists(path) and path.suffix.lower() in SUFFIXES
    )


def expand(paths: list[Path]) -> list[Path]:
    """The files and stores that `paths` stand for: each itself, a pattern, or a folder of them.

    Raises `MimError` for a path that stands for none.
    """
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
            f"{path}: expected a NetCDF or GRIB file, a Zarr store, a pattern such as "
            f"'data/*.nc', or a folder of them ({', '.join(SUFFIXES)}); found none. Check the path."
        )
    return sorted(found, key=natural_order)


def open_datasets(path: Path) -> list:
    """What a file or store holds, as xarray data sets that read when asked.

    A GRIB file whose messages do not fit into one data set gives several. Nothing is written
    beside it.

    Raises:
        MimError: if it cannot be read, is being written, or a package is missing.
    """
    engine = _engine(path)
    if engine == "zarr":
        _check_store(path)
    if engine == "h5netcdf":
        check_hdf5(path)
    # Scientific Python has SciPy's reader of NetCDF 3.
    xarray = import_xarray(*([] if engine == "scipy" else [engine]))
    options: dict = {"engine": engine, "cache": False, "decode_timedelta": False}
    if engine == "cfgrib":
        options["backend_kwargs"] = {"indexpath": ""}
    try:
        with warnings.catch_warnings():
            # Of stores without consolidated metadata, and of conventions that are not followed.
            warnings.simplefilter("ignore")
            if engine == "cfgrib":
                import cfgrib

                return cfgrib.open_datasets(
                    str(path), backend_kwargs={"indexpath": ""}, decode_timedelta=False
                )
            return [xarray.open_dataset(path, **options)]
    except Exception as error:  # each of the backends raises kinds of its own
        raise MimError(f"{path} {_reason(error)}") from None


def _check_store(store):
    """Raises `MimError` for what is no file: of a pipe or a device, Zarr would read without end."""
    for folder, names in walk(store, "a Zarr store"):
        for name in names:
            if not os.path.isfile(folder / name):
                raise MimError(
                    f"{folder / name}: expected a file of a Zarr store, found something else. "
                    "Write or copy the store again."
                )


def _engine(path):
    if os.path.isdir(path):
        if any(os.path.exists(path / name) for name in _ZARR_METADATA):
            return "zarr"
        raise MimError(
            f"{path}: expected a Zarr store, found a folder without {' or '.join(_ZARR_METADATA)}. "
            "If it is being written, wait until that is done."
        )
    with opened(path, "a file of fields") as file:
        start = file.read(8)
    for magic, engine in ((b"\x89HDF", "h5netcdf"), (b"CDF", "scipy"), (b"GRIB", "cfgrib")):
        if start.startswith(magic):
            return engine
    raise MimError(
        f"{path}: expected NetCDF (3 or 4), GRIB or a Zarr store, received {_seen(start)}. If it "
        "is being written or downloaded, wait until that is done."
    )


def _seen(start):
    return f"a file that starts with {start!r}" if start else "an empty file"


def _reason(error: Exception) -> str:
    """Why a file cannot be read, and what to do, to follow its name."""
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    if isinstance(error, BlockingIOError) or "unable to lock" in str(error).lower():
        return "is being written by another process. Wait until that is done."
    if "cftime" in str(error):
        return 'has a calendar that needs the package cftime: pip install "mim_tf[grid]".'
    return (
        f"cannot be read: {first}. If it is being written, wait until that is done; otherwise "
        "write or download it again."
    )


def read_or_explain(path: Path, read):
    """`read()`; what it raises becomes a `MimError` about `path`."""
    try:
        return read()
    except MimError:
        raise
    except Exception as error:  # HDF5, Zarr's codecs and eccodes raise kinds of their own
        raise MimError(f"{path} {_reason(error)}") from None
