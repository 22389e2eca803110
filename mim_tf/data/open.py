"""From the configuration to a source."""

import functools
from pathlib import Path

from mim_tf.config import DataConfig, ModelConfig
from mim_tf.data.source import SequenceSource
from mim_tf.errors import MimError

SPLITS = ("train", "valid", "test")


def open_source(data: DataConfig, model: ModelConfig, split: str) -> SequenceSource:
    """The source of a split ("train", "valid" or "test").

    Raises:
        MimError: if the data set is unknown, or its frames do not fit the model.
    """
    if data.dataset not in _DATASETS:
        known = ", ".join(sorted(_DATASETS))
        raise MimError(f"dataset must be one of: {known}; received {data.dataset!r}.")
    source = _DATASETS[data.dataset](data, model, split)
    if source.shape[1:] != model.frame_shape:
        raise MimError(
            f"The model takes frames of (height, width, channels) {model.frame_shape}, the data "
            f"has {source.shape[1:]}. Set img_height, img_width and img_channel to the data's."
        )
    return source


def _open_moving_mnist(data, model, split):
    from mim_tf.data.arrays import ArraySource, open_array
    from mim_tf.data.npz import NpzSource

    paths = data.train_data_paths if split == "train" else data.valid_data_paths
    paths = [Path(path.strip()) for path in paths.split(",") if path.strip()]
    if not paths:
        return _generate_moving_mnist(data, model, split)
    if all(path.suffix == ".npy" for path in paths):
        if len(paths) > 1:
            raise MimError(f"Expected one .npy file, received {len(paths)}.")
        return ArraySource(open_array(paths[0]), model.total_length, name=str(paths[0]))
    return NpzSource(paths, model.total_length)


@functools.cache
def _digits(choice):
    """Loaded once, so that all splits of a run are of one set."""
    from mim_tf.data.digits import load_digits

    return load_digits(choice)


def _generate_moving_mnist(data, model, split):
    from mim_tf.data.moving_mnist import MovingMNIST

    digits = _digits(data.digits)
    size = {
        "train": data.train_sequences or None,
        "valid": data.valid_sequences,
        "test": data.test_sequences,
    }[split]
    return MovingMNIST(
        digits.train if split == "train" else digits.test,
        size,
        total_length=model.total_length,
        height=model.img_height,
        width=model.img_width,
        num_digits=data.num_digits,
        seed=(data.data_seed, SPLITS.index(split)),
        origin=digits.origin,
    )


_DATASETS = {"mnist": _open_moving_mnist}
