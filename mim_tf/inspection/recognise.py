"""What kind of data or weights a path holds."""

import contextlib
import os
from pathlib import Path

import h5py

from mim_tf.config import DataConfig
from mim_tf.config.datasets import find_data_set
from mim_tf.data.dataset import frame_shape, open_part
from mim_tf.data.files.npz_member import member_keys
from mim_tf.data.files.videos import VIDEO_SUFFIXES
from mim_tf.data.sets.grid.files import is_grid, is_pattern
from mim_tf.data.sets.hko7 import PICTURES
from mim_tf.data.sets.human36m import has_pictures
from mim_tf.data.sets.kth import find_takes
from mim_tf.data.sets.moving_mnist.npz import KEYS
from mim_tf.data.sets.sevir import CATALOG, TYPES
from mim_tf.data.source import SequenceSource
from mim_tf.errors import MimError
from mim_tf.storage.paths import list_folder, opened
from mim_tf.weights.by_name import find_preset
from mim_tf.weights.tf1 import is_checkpoint


def recognise(path: str | Path) -> str:
    """Return "weights" or a built-in data set, by names and keys.

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


# MERGED: Sources of all that a path holds, in the size it has.


def open_all(
    path: str | Path, kind: str, data_settings: dict, model_settings: dict
) -> dict[str, SequenceSource]:
    """A source for each split the data set itself has, or one of all.

    Args:
        path: of the data.
        kind: its data set, as from `recognise`.
        data_settings: fields of `DataConfig` that say how it is read; without `window_stride`,
            windows begin `total_length` frames apart.
        model_settings: fields of `ModelConfig` that replace what the data has: `img_width`,
            `img_height` (by default the width, if that is given), `img_channel`, `total_length`.

    Raises:
        MimError: for data that cannot be read.
    """
    declared = find_data_set(kind)
    length = model_settings.get("total_length") or declared.usual_length
    if length is not None and length < 1:
        raise MimError(f"total_length must be at least 1, received {length}.")
    paths = {"dataset": kind, "train_data_paths": str(path), "valid_data_paths": ""}
    read = {"window_stride": length or 1} if "window_stride" in declared.settings else {}
    read |= {"scale": "none"} if kind == "grid" else {}
    data = DataConfig(**{**read, **data_settings, **paths})
    height, width, channels = frame_shape(data)
    width = model_settings.get("img_width") or width
    height = model_settings.get("img_height") or model_settings.get("img_width") or height
    shape = height, width, model_settings.get("img_channel") or channels
    return {split: open_part(data, split, shape, length) for split in declared.splits}
