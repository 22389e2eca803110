"""Which files a split is read from, and how one set is divided into splits."""

import contextlib
import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mim_tf.config import DataConfig
from mim_tf.data.source import Indices, SequenceSource, WrappedSource
from mim_tf.errors import MimError
from mim_tf.storage.paths import divided

SPLITS = ("train", "valid", "test")
ALL = "all"
"""Given as a split: the whole set, undivided."""


def split_paths(data: DataConfig, split: str) -> tuple[list[Path], bool]:
    """Return the paths of a split, and whether the other splits are in them too.

    `train_data_paths` are for "train", `valid_data_paths` for "valid" and "test" alike. If only
    one of them is given, or both are the same, all splits are in it, and each path counts once.
    Raises `MimError` if only some of the paths are the same.
    """
    train, valid = named_paths(data.train_data_paths), named_paths(data.valid_data_paths)
    twice = train.keys() & valid.keys()
    if twice and train.keys() != valid.keys():
        raise MimError(
            "Expected train_data_paths and valid_data_paths to be the same or to have nothing in "
            f"common, got {', '.join(str(train[path][0]) for path in sorted(twice))} in both."
        )
    shared = not train or not valid or bool(twice)
    chosen = (train or valid) if shared or split == "train" else valid
    return [same[0] for same in chosen.values()], shared


def is_test_validation(data: DataConfig) -> bool:
    """Return whether the test sequences are the validation sequences too."""
    _, shared = split_paths(data, "test")
    has_one_set = "test" in data.declared.splits and "valid" not in data.declared.splits
    # Moving MNIST divides only training paths. Sequences to train on are generated otherwise.
    is_generated = data.dataset.startswith("mnist") and not data.train_data_paths
    return not shared or has_one_set or (is_generated and bool(data.valid_data_paths))


def needed_paths(data: DataConfig, split: str) -> tuple[list[Path], bool]:
    """Return `split_paths`, or raise `MimError` if there are none."""
    paths, shared = split_paths(data, split)
    if not paths:
        raise MimError(f"--dataset={data.dataset} needs its files: give --train_data_paths.")
    return paths, shared


def shared_paths(data: DataConfig, split: str, rule: str = "as published") -> list[Path]:
    """Return the paths that hold all splits, which a set divides by its own `rule`."""
    paths, shared = split_paths(data, split)
    if not shared or not paths:
        raise MimError(
            f"--dataset={data.dataset} is divided {rule}: give --train_data_paths alone, one path "
            "with all splits."
        )
    return paths


def one_folder(paths: list[Path]) -> Path:
    """Return the single folder in `paths`, or raise `MimError`."""
    if len(paths) != 1 or not os.path.isdir(paths[0]):
        raise MimError(
            f"Expected one folder with all splits as --train_data_paths, got {[*map(str, paths)]}."
        )
    return paths[0]


def with_paths(read: Callable) -> Callable:
    """Turn a function of paths and `DataConfig` into one of `DataConfig`; None without paths."""

    @functools.wraps(read)
    def of_config(data):
        paths, _ = split_paths(data, "train")
        return read(paths, data) if paths else None

    return of_config


def named_paths(text: str) -> dict[Path, list[Path]]:
    """Return resolved path -> the paths as written, from comma separated text."""
    found: dict[Path, list[Path]] = {}
    for path in divided(text):
        found.setdefault(Path(os.path.realpath(path)), []).append(Path(path))
    return found


def split_recordings(
    list_in: Callable[[Path], list], data: DataConfig, split: str, along_time: bool = False
) -> tuple[list, tuple[float, float]]:
    """Return the recordings of a split, and the part of each that belongs to it.

    `list_in` returns the recordings at a path. With `along_time`, one or two recordings, too few
    to divide, are cut: training first, then validation, then test.
    """
    paths, shared = needed_paths(data, split)
    recordings = [recording for path in paths for recording in list_in(path)]
    # A folder and a file in it, or two links, must not be in two splits, nor count twice in one.
    real = (os.path.realpath(r) if isinstance(r, Path) else r for r in recordings)
    recordings = list(dict(zip(real, recordings, strict=True)).values())
    if not shared:
        if data.dataset != "array":  # whose videos do not have paths
            check_apart(recordings, list_in, data, split)
    elif along_time and len(recordings) < len(SPLITS):
        first, last = 1 - data.valid_fraction - data.test_fraction, 1 - data.test_fraction
        parts = {"train": (0.0, first), "valid": (first, last), "test": (last, 1.0)}
        return recordings, parts.get(split, (0.0, 1.0))
    else:
        recordings = divide(recordings, data, split)
    return recordings, (0.0, 1.0)


def check_apart(
    files: list[Path], list_files: Callable[[Path], list[Path]], data: DataConfig, split: str
) -> None:
    """Raise `MimError` if a file of a split with its own paths is also in the paths of the others.

    It may also be a link. `list_files` returns the files at one of the paths.
    """
    others = set(named_paths(data.valid_data_paths if split == "train" else data.train_data_paths))
    for path in list(others):
        with contextlib.suppress(MimError):  # data of another split need not be there
            others.update(Path(os.path.realpath(each)) for each in list_files(path))
    for each in files:
        if Path(os.path.realpath(each)) in others:
            raise MimError(
                f"{each}: expected it in train_data_paths or valid_data_paths, found it in both."
            )


def divide(items: list, data: DataConfig, split: str) -> list[Any]:
    """Return the items of a split in their order; each item belongs to exactly one split.

    `valid_fraction` and `test_fraction` of them, at least one each, are drawn with `data_seed`.
    Raises `MimError` if there are too few for three splits.
    """
    count = len(items)
    valid = max(1, round(count * data.valid_fraction))
    test = max(1, round(count * data.test_fraction))
    bounds = {"valid": (0, valid), "test": (valid, valid + test), "train": (valid + test, count)}
    if split == ALL:
        return list(items)
    if valid + test >= count:
        raise MimError(
            f"Expected enough recordings or sequences for three splits, got {count} for "
            f"valid_fraction {data.valid_fraction} and test_fraction {data.test_fraction}. Lower "
            "these, or give train_data_paths and valid_data_paths."
        )
    # One shuffle for all splits, cut in three: the splits share nothing and cover everything.
    order = np.random.default_rng(data.data_seed).permutation(count)
    return [items[i] for i in sorted(order[slice(*bounds[split])])]


def how_divided(data: DataConfig, split: str) -> str:
    """Return advice on the flags that divide the data into splits, empty if there are none."""
    settings = data.declared.settings
    if split == ALL or "valid_fraction" not in settings or not split_paths(data, split)[1]:
        return ""
    flags = "--valid_fraction and --test_fraction"
    if "split_dates" in settings:
        flags = "--split_dates" if data.split_dates else f"{flags}, or give --split_dates"
    return f" These are the recordings for {split}: change {flags}."


class Selection(WrappedSource):
    """The sequences of a source at the given indices, in their order."""

    def __init__(self, source: SequenceSource, indices: list[int]):
        super().__init__(source)
        self._indices = np.asarray(indices, np.int64)
        self.size = len(indices)

    def sequences(self, indices: Indices) -> np.ndarray:
        return super().sequences(self._indices[np.asarray(indices, np.int64)])

    def groups(self, indices: Indices) -> np.ndarray:
        return super().groups(self._indices[np.asarray(indices, np.int64)])

    def describe(self) -> dict:
        record = super().describe()
        return {**record, "sequences": self.size, "selected_from": record["sequences"]}
