"""What kind of data or weights a path holds."""

import contextlib
import os
from pathlib import Path

import h5py

from mim_tf.config.data import DATASETS
from mim_tf.data.files.npz_member import member_keys
from mim_tf.data.files.videos import VIDEO_SUFFIXES
from mim_tf.data.grid.files import is_grid, is_pattern
from mim_tf.data.hko7.days import PICTURES
from mim_tf.data.human36m import has_pictures
from mim_tf.data.kth import find_takes
from mim_tf.data.moving_mnist.npz import KEYS
from mim_tf.data.sevir.catalog import CATALOG
from mim_tf.data.sevir.values import TYPES
from mim_tf.errors import MimError
from mim_tf.given_path import list_folder, opened
from mim_tf.presets.find import find_preset
from mim_tf.weights.tf1_checkpoint import is_checkpoint

KINDS = ("weights", *(name for name in DATASETS if name != "mnist_color"))
"""A file of colour-changing digits is one of "mnist", too."""


def recognise(path: str | Path) -> str:
    """One of `KINDS`, by names and keys.

    The name of a preset is "weights"; radar events of pictures are taken for a "folder".

    Raises:
        MimError: if `path` does not exist or is none of them.
    """
    path = Path(path)
    if is_checkpoint(path) or find_preset(path):
        return "weights"
    if is_pattern(path) or is_grid(path):
        return "grid"
    kind = _folder_kind(path) if os.path.isdir(path) else _file_kind(path)
    if kind is None:
        raise MimError(
            f"{path}: expected weights (.h5, a TensorFlow 1 prefix), data (.npz, .npy, .h5 of "
            "TaxiBJ, NetCDF, GRIB, Zarr, a video) or a folder of them; received something else. "
            "Name the data set with --dataset if it is one."
        )
    return kind


def _file_kind(path):
    if path.suffix == ".npy":
        return "array"
    if path.suffix == ".npz":
        keys = set(member_keys(path))
        if keys.issuperset(KEYS):
            return "mnist"
        return "taxibj" if "X_train" in keys else "array"
    with opened(path, "a file or folder"), contextlib.suppress(OSError), h5py.File(path) as file:
        if TYPES.keys() & file.keys():
            raise MimError(
                f"{path}: expected the folder that holds {CATALOG} and data, received one file of "
                "SEVIR. Give that folder."
            )
        return "taxibj" if "date" in file else "weights"
    if path.suffix == ".h5":
        return "weights"
    return "folder" if path.suffix.lower() in VIDEO_SUFFIXES else None


def _folder_kind(folder):
    names = [path.name for path in list_folder(folder)]
    if "dataset.npz" in names or any(name.endswith("_InOut.h5") for name in names):
        return "taxibj"
    if CATALOG in names:
        return "sevir"
    if PICTURES in names:
        return "hko7"
    if has_pictures(folder):
        return "human"
    if find_takes([folder]):
        return "kth"
    if any(is_grid(folder / name) for name in names):
        return "grid"
    has_arrays = any(name.endswith((".npy", ".npz")) for name in names)
    return "radar" if has_arrays else "folder"
