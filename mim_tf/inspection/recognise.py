"""Recognise what is at a path: open all its sequences in their own size, or describe weights."""

import contextlib
import os
from pathlib import Path

import h5py
import numpy as np

from mim_tf.config import DataConfig
from mim_tf.config.datasets import find_data_set
from mim_tf.data.dataset import frame_shape, open_part
from mim_tf.data.files.arrays import member_keys
from mim_tf.data.files.recordings import VIDEO_SUFFIXES, find_named
from mim_tf.data.sets import human36m, kth
from mim_tf.data.sets.grid.files import is_grid, is_pattern
from mim_tf.data.sets.hko7 import PICTURES
from mim_tf.data.sets.moving_mnist.npz import KEYS
from mim_tf.data.sets.sevir import CATALOG, TYPES
from mim_tf.data.source import SequenceSource
from mim_tf.errors import MimError
from mim_tf.runs.folder import RECORD
from mim_tf.storage.paths import list_folder, open_file, opened
from mim_tf.values.text import number, text_table
from mim_tf.weights.by_name import find_preset, is_checkpoint


def recognise(path: str | Path) -> str:
    """Return "weights" or a built-in data set, by names and keys, or raise `MimError`.

    The name of a preset is "weights"; radar events of pictures are recognised as a "folder".
    """
    path = Path(path)
    if is_checkpoint(path) or find_preset(path):
        return "weights"
    if is_pattern(path) or is_grid(path):
        return "grid"
    if not os.path.isdir(path):
        open_file(path, "a file or folder").close()
    kind = _folder_kind(path) if os.path.isdir(path) else _file_kind(path)
    if kind is None:
        raise MimError(
            f"{path}: expected weights (.h5, .keras, .pth, a TensorFlow 1 prefix), data (.npz, "
            ".npy, .h5 of TaxiBJ, NetCDF, GRIB, Zarr, a video) or a folder of them. Give --dataset."
        )
    return kind


def _file_kind(path):
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return "array"
    if suffix == ".npz":
        keys = set(member_keys(path))
        if keys.issuperset(KEYS):
            return "mnist"
        return "taxibj" if "X_train" in keys else "array"
    with opened(path, "a file or folder"), contextlib.suppress(OSError), h5py.File(path) as file:
        if TYPES.keys() & file.keys():
            raise MimError(f"{path}: got one file of SEVIR. Give the folder with {CATALOG}.")
        if "date" in file:
            return "taxibj"
        others = [name for name, each in file.items() if getattr(each, "ndim", 0) > 2]
        others += {"dataset1", "image1"} & file.keys()  # radars' fields, of ODIM and of KNMI
        if not others:
            return "weights"
        raise MimError(
            f"{path}: expected weights or a file of TaxiBJ, got other HDF5 ({', '.join(others)}). "
            "Save frames by numpy.save for --dataset=array, dBZ for --dataset=radar."
        )
    if suffix in (".h5", ".keras", ".pth", ".ckpt"):
        return "weights"
    return "folder" if suffix in VIDEO_SUFFIXES else None


def _folder_kind(folder):
    """Return the first data set whose files are there; "folder" and "radar" hold any names."""
    names = [path.name for path in list_folder(folder)]
    if RECORD in names:
        kind = "the folder of a run or an evaluation"
        raise MimError(f"{folder} is {kind}: give its weights, or use `mim report`.")
    if "dataset.npz" in names or any(name.endswith("_InOut.h5") for name in names):
        return "taxibj"
    if CATALOG in names:
        return "sevir"
    if PICTURES in names:
        return "hko7"
    for kind, name in (("human", human36m.NAME), ("kth", kth.NAME)):
        if find_named([folder], name, "a folder of data"):
            return kind
    if any(is_grid(folder / name) for name in names):
        return "grid"
    has_arrays = any(name.lower().endswith((".npy", ".npz")) for name in names)
    return "radar" if has_arrays else "folder"


def open_all(
    path: str | Path, kind: str, data_settings: dict, model_settings: dict
) -> dict[str, SequenceSource]:
    """Open a source for each split that the data set `kind` itself has, or one of all.

    `data_settings` are fields of `DataConfig`; without `window_stride`, windows begin
    `total_length` frames apart. `model_settings` are fields of `ModelConfig` that replace the
    data's own: `img_width`, `img_height` (by default the width, if given), `img_channel`,
    `total_length`.
    """
    declared = find_data_set(kind)
    length = model_settings.get("total_length") or declared.usual_length
    if length is not None and length < 1:
        raise MimError(f"Expected total_length of at least 1, got {length}.")
    # Whole frames, also where a training would cut squares out of them.
    settings = {"dataset": kind, "train_data_paths": str(path), "valid_data_paths": "", "crop": 0}
    if "window_stride" in declared.settings:
        settings["window_stride"] = data_settings.get("window_stride", length or 1)
    if kind == "grid":  # values are shown in their units, so no scale has to be fitted to them
        settings["scale"] = data_settings.get("scale", "none")
    data = DataConfig(**(data_settings | settings))
    height, width, channels = frame_shape(data) or (0, 0, 0)
    width = model_settings.get("img_width") or width
    height = model_settings.get("img_height") or model_settings.get("img_width") or height
    shape = height, width, model_settings.get("img_channel") or channels
    return {split: open_part(data, split, shape, length) for split in declared.splits}


def describe_weights(path: str | Path, known: dict) -> str:
    """Load all weights and return the configuration, and shape, mean and deviation of each weight.

    `known` are fields of `ModelConfig` that the weights do not contain. Raises `MimError` for
    weights that are corrupted, not finite or cannot be loaded.
    """
    from mim_tf.weights import load_model  # Data is described without Keras.

    model = load_model(path, **known)
    settings = [f"  {name}: {value}" for name, value in vars(model.config).items()]
    rows = [["weight", "shape", "mean", "deviation"]]
    for weight in model.trainable_variables:
        values = np.asarray(weight)
        shape = " x ".join(map(str, values.shape))
        rows.append([weight.path, shape, number(values.mean()), number(values.std())])
    head = f"{path}: weights of {model.config.model_name}, {model.count_params():,} parameters"
    sound = "Sound: all weights are there, fit the configuration and are finite."
    return "\n".join([head, *settings, *text_table(rows), sound])
