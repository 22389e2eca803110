"""Which files a split is read from, and how one set is divided by recording."""

from pathlib import Path

import numpy as np

from mim_tf.config import DataConfig
from mim_tf.errors import MimError


def split_paths(data: DataConfig, split: str) -> tuple[list[Path], bool]:
    """Paths to read a split from, and whether the other splits are in them too.

    `train_data_paths` are for "train", `valid_data_paths` for "valid" and "test". Where only one
    of them is given, or both are the same, all splits are in it.
    """
    train, valid = _paths(data.train_data_paths), _paths(data.valid_data_paths)
    shared = not train or not valid or train == valid
    return (train or valid if shared or split == "train" else valid), shared


def _paths(text):
    return [Path(path.strip()) for path in text.split(",") if path.strip()]


def split_recordings(recordings: list, data: DataConfig, split: str) -> list:
    """Those of `recordings` that belong to a split, in their order; each belongs to exactly one.

    `valid_fraction` and `test_fraction` of them, at least one each, are drawn with `data_seed`.

    Raises:
        MimError: if there are too few for three splits.
    """
    count = len(recordings)
    valid, test = (
        max(1, round(count * share)) for share in (data.valid_fraction, data.test_fraction)
    )
    if valid + test >= count:
        raise MimError(
            f"Expected enough recordings to divide into train, valid and test, received {count} "
            f"for valid_fraction {data.valid_fraction} and test_fraction {data.test_fraction}. "
            "Lower these, add recordings, or give train_data_paths and valid_data_paths."
        )
    order = np.random.default_rng(data.data_seed).permutation(count)
    chosen = {
        "valid": order[:valid],
        "test": order[valid : valid + test],
        "train": order[valid + test :],
    }[split]
    return [recordings[i] for i in sorted(chosen)]
