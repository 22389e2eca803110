"""Moving MNIST as a configuration asks for it: from files, or generated."""

import functools
from pathlib import Path

from mim_tf.config import DataConfig
from mim_tf.data.files.arrays import ArraySource, open_array
from mim_tf.data.moving_mnist.color import ColorMovingMNIST
from mim_tf.data.moving_mnist.digits import load_digits
from mim_tf.data.moving_mnist.npz import NpzSource, npz_frame_shape
from mim_tf.data.moving_mnist.source import MovingMNIST
from mim_tf.data.source import SequenceSource
from mim_tf.data.split import ALL, SPLITS, Selection, divide, split_paths
from mim_tf.errors import MimError

_SIZE = (64, 64)
_GENERATORS = {"mnist": MovingMNIST, "mnist_color": ColorMovingMNIST}

# Loaded once, so that all splits of a run are of one set.
_digits = functools.cache(load_digits)


def moving_mnist_frame_shape(paths: list[Path], data: DataConfig) -> tuple[int, int, int]:
    """(H, W, C) of the frames in the first file; 64 x 64 where there is none."""
    if not paths:
        return (*_SIZE, _GENERATORS[data.dataset].channels)
    if paths[0].suffix == ".npy":
        return (*open_array(paths[0]).shape[2:], 1)[:3]
    return npz_frame_shape(paths[0])


def open_moving_mnist(
    data: DataConfig, split: str, frame_shape: tuple[int, int, int], total_length: int | None
) -> SequenceSource:
    """A split, or "all" of files.

    Args:
        data: where the sequences come from.
        split: "train", "valid", "test" or "all".
        frame_shape: (H, W, C) of frames that are generated.
        total_length: frames of a sequence; None: as many as the file has.

    Raises:
        MimError: if the files cannot be used.
    """
    paths, shared = split_paths(data, split)
    # A file to test on alone, such as the released one, is not divided: training is generated.
    to_test_only = bool(paths) and not data.train_data_paths
    if not paths or (to_test_only and split == "train"):
        return _generate(data, split, frame_shape, total_length)
    if all(path.suffix == ".npy" for path in paths):
        if len(paths) > 1:
            raise MimError(f"Expected one .npy file, received {len(paths)}.")
        source = ArraySource(open_array(paths[0]), total_length, name=str(paths[0]))
    else:
        source = NpzSource(paths, total_length, data.check_files)
    if not shared or to_test_only or split == ALL:
        return source
    return Selection(source, divide(range(source.size), data, split))


def _generate(data, split, frame_shape, total_length):
    digits = _digits(data.digits)
    size = {
        "train": data.train_sequences or None,
        "valid": data.valid_sequences,
        "test": data.test_sequences,
    }[split]
    height, width, _ = frame_shape
    return _GENERATORS[data.dataset](
        getattr(digits, split),
        size,
        total_length=total_length,
        height=height,
        width=width,
        num_digits=data.num_digits,
        seed=(data.data_seed, SPLITS.index(split)),
        origin=digits.origin,
    )
