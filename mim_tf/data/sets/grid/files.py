"""NetCDF files, GRIB files and Zarr stores, opened as data sets of xarray, which read lazily."""

import contextlib
import glob
import importlib.util
import os
import warnings
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import h5py
from absl import logging

from mim_tf.data.files.images import in_natural_order
from mim_tf.data.sets.grid.conventions import declare
from mim_tf.data.sets.grid.fields import variable_names, with_times
from mim_tf.errors import MimError
from mim_tf.runtime.optional import import_xarray
from mim_tf.storage.containers import check_grib, check_grib_opens, check_hdf5, check_zarr
from mim_tf.storage.paths import list_folder, opened

SUFFIXES = (".nc", ".nc4", ".cdf", ".netcdf", ".grib", ".grib2", ".grb", ".grb2", ".zarr", ".hdf5")
"""Names of files and stores; which format it is follows from the first bytes."""

_ZARR_METADATA = ("zarr.json", ".zgroup", ".zmetadata", ".zattrs")
_ENGINES = {b"\x89HDF": "h5netcdf", b"CDF": "scipy", b"GRIB": "cfgrib"}
_OTHERS = {
    b"PK": "a ZIP archive. Unpack it (unzip)",
    b"\x1f\x8b": "a compressed file. Unpack it (gunzip)",
    b"BZh": "a compressed file. Unpack it (bunzip2)",
    b"<": "a web page or XML. Log in and download the file again",
    b"\x0e\3\x13\1": "HDF4. Convert it to NetCDF 4",
    b"CDF\5": "NetCDF of 64-bit data (CDF-5). Convert it: nccopy -k nc4 OLD NEW",
}
"""First bytes of formats that are not read, and what to do."""

_CHECKS = {"h5netcdf": check_hdf5, "zarr": check_zarr}
_WITH_GROUPS = ("h5netcdf", "zarr")
_MOST_VARIABLES = 1000
_WAIT = "If it is still being written, wait; otherwise write or download it again."


def is_grid(path: Path) -> bool:
    """Return whether a path has the name or the content of a file or store with coordinates."""
    return path.suffix.lower() in SUFFIXES or _is_zarr(path)


def _is_zarr(path):
    return any(os.path.exists(path / name) for name in _ZARR_METADATA)


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
        inside = [child for child in list_folder(path) if child.name[0] != "."]
        found = [child for child in inside if is_grid(child)]
        left = [child for child in inside if child not in found]
        left = [child for child in left if child.is_dir() or child.suffix in (".gz", ".h5")]
        if found and left:
            logging.log_first_n(
                logging.WARNING,
                "%s: %d files or folders are not read, such as %s. A pattern reads those in "
                "folders, such as '%s/**/*.nc'.",
                1,
                *(path, len(left), left[0].name, path),
            )
    else:
        found = [Path(name) for name in glob.glob(str(path), recursive=True)]
    if not found:
        raise MimError(
            f"{path}: expected a NetCDF or GRIB file, a Zarr store, a pattern such as 'data/*.nc' "
            f"or a folder of them ({', '.join(SUFFIXES)})."
        )
    return in_natural_order(found)


def open_all(paths: list[Path], group: str = "") -> list[tuple]:
    """Return (path, data set) of all that files and stores hold, see `open_datasets`."""
    of_grib = [path for path in paths if _engine(path) == "cfgrib"]
    for path in of_grib:  # first, because eccodes never ends where a section has no length
        with read_errors(path):
            check_grib(path)
    check_grib_opens(of_grib)
    return [(path, each) for path in paths for each in open_datasets(path, group)]


def open_datasets(path: Path, group: str = "") -> list:
    """Return what a file or store holds, as xarray data sets.

    A GRIB file whose messages do not fit into one data set gives several. No index file is written.
    Without `group`, the only group of a NetCDF file or Zarr store that has fields over time is
    opened.

    Raises `MimError` for files that cannot be read, and if several groups have fields.
    """
    engine = _engine(path)
    if group and engine not in _WITH_GROUPS:
        raise MimError(f"{path}: expected NetCDF 4 or Zarr for --group={group}. Leave it out.")
    if engine in _CHECKS:
        with read_errors(path):
            _CHECKS[engine](path)
    import_xarray(*([] if engine == "scipy" else [engine]))  # xarray itself needs SciPy
    # Warnings about missing Zarr metadata and broken conventions do not help here.
    with read_errors(path), warnings.catch_warnings(action="ignore"):
        if engine == "cfgrib":
            import cfgrib

            return cfgrib.open_datasets(
                str(path), backend_kwargs={"indexpath": ""}, decode_timedelta=False
            )
        return [_open_group(path, engine, group)]


def _open_group(path, engine, group):
    """Return a group of a file or store, by default the one that has fields."""
    root = _opened(path, engine, ".")
    if not group and (engine not in _WITH_GROUPS or variable_names(root)):
        return root
    names = _groups_of(path, engine)
    if group and group.strip("/") not in names:
        known = ", ".join(names) or "none"
        raise MimError(f"{path}: expected a --group of the file ({known}), got {group}.")
    if group:
        return _opened(path, engine, group.strip("/"))
    found = {name: each for name in names if variable_names(each := _opened(path, engine, name))}
    # Groups in a group that has fields belong to it, such as Grid/Intermediate of IMERG.
    outer = [
        name for name in found if not found.keys() & set(map(str, PurePosixPath(name).parents))
    ]
    if len(outer) > 1:
        raise MimError(
            f"{path}: expected one group with fields over time, got {', '.join(outer)}. Choose one "
            f"with --group, such as --group={outer[0]}."
        )
    return found[outer[0]] if outer else root


def _opened(path, engine, name):
    """Return a group, decoded, with the coordinates of the groups around it."""
    xarray = import_xarray()

    def read(group):
        inside = {} if group == "." else {"group": group}
        _check_count(path, _count_of(path, engine, group))  # before xarray opens them
        found = xarray.open_dataset(path, engine=engine, cache=False, decode_cf=False, **inside)
        _check_count(path, len(found.variables))
        return found

    dataset = read(name)
    for parent in PurePosixPath(name).parents:
        for key, variable in read(str(parent)).variables.items():
            is_axis = variable.ndim <= 1 and variable.sizes.items() <= dataset.sizes.items()
            if is_axis and key not in dataset.variables:
                dataset = dataset.assign({key: variable})
    declared = declare(path, dataset, engine == "zarr")
    return with_times(xarray.decode_cf(declared, decode_timedelta=False))


def _check_count(path, count):
    """Raise `MimError` for too many variables; xarray's time grows with their square."""
    if count > _MOST_VARIABLES:
        raise MimError(
            f"{path}: expected at most {_MOST_VARIABLES:,} variables in a group, got {count:,}. "
            "Write those of --variables to a file of their own, with ncks or xarray."
        )


def _count_of(path, engine, group):
    """Return the number of variables and groups in a group, 0 without groups."""
    if engine == "zarr":
        return len(list_folder(path / group))
    if engine == "h5netcdf":
        with h5py.File(path) as file:
            return len(file[group])
    return 0


def _groups_of(path, engine):
    """Return the names of all groups but the root."""
    if engine == "zarr":
        import zarr

        members = zarr.open_group(path, mode="r").members(max_depth=None)
        return sorted(name for name, each in members if isinstance(each, zarr.Group))
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, each: found.update({name: isinstance(each, h5py.Group)}))
    return [name for name, is_group in found.items() if is_group]


def _engine(path):
    if os.path.isdir(path):
        if _is_zarr(path):
            return "zarr"
        raise MimError(f"{path}: expected a Zarr store, got a folder without metadata. {_WAIT}")
    with opened(path, "a file of fields") as file:
        start = file.read(8)
    if other := next((what for magic, what in _OTHERS.items() if start.startswith(magic)), ""):
        raise MimError(f"{path}: expected NetCDF, GRIB or Zarr, got {other}.")
    for magic, engine in _ENGINES.items():
        if start.startswith(magic):
            return engine
    raise MimError(f"{path}: expected NetCDF, GRIB or Zarr, got a start of {start!r}. {_WAIT}")


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
        elif "decode time units" in text and importlib.util.find_spec("cftime"):
            units = text.partition(" with ")[0]
            reason = f"has other times: {units}. Write times such as 'hours since 2000-01-01'."
        elif "filter" in text or "plugin" in text or "open directory" in text:
            reason = "needs a plugin of HDF5. Set HDF5_PLUGIN_PATH, or write it again with zlib."
        elif "cftime" in text:
            reason = 'has a calendar that needs the package cftime: pip install "mim_tf[grid]".'
        else:
            reason = f"cannot be read: {text.splitlines()[0]}. {_WAIT}"
        raise MimError(f"{path} {reason}") from None
