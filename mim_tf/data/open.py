"""From the configuration to a source."""

import functools

from mim_tf.config import DataConfig, ModelConfig
from mim_tf.data.scale import LinearScale
from mim_tf.data.source import SequenceSource
from mim_tf.data.split import split_paths, split_recordings
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
    from mim_tf.data.moving_mnist import MovingMNIST

    return _open_mnist(MovingMNIST, data, model, split)


def _open_color_moving_mnist(data, model, split):
    from mim_tf.data.color_moving_mnist import ColorMovingMNIST

    return _open_mnist(ColorMovingMNIST, data, model, split)


def _open_mnist(generator, data, model, split):
    from mim_tf.data.arrays import ArraySource, open_array
    from mim_tf.data.npz import NpzSource

    # Only here may one of the two be left out, and what it is for is then generated.
    is_training = split == "train"
    if not (data.train_data_paths if is_training else data.valid_data_paths):
        return _generate(generator, data, model, split)
    paths, _ = split_paths(data, split)
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


def _generate(generator, data, model, split):
    digits = _digits(data.digits)
    size = {
        "train": data.train_sequences or None,
        "valid": data.valid_sequences,
        "test": data.test_sequences,
    }[split]
    return generator(
        digits.train if split == "train" else digits.test,
        size,
        total_length=model.total_length,
        height=model.img_height,
        width=model.img_width,
        num_digits=data.num_digits,
        seed=(data.data_seed, SPLITS.index(split)),
        origin=digits.origin,
    )


def _open_taxibj(data, model, split):
    from mim_tf.data.taxibj import open_taxibj

    paths, _ = split_paths(data, split)
    return open_taxibj(
        paths,
        split,
        model.total_length,
        order=data.taxibj_order,
        rule=data.taxibj_split,
        synthetic=data.taxibj_synthetic,
    )


def _open_human36m(data, model, split):
    from mim_tf.data.human36m import open_human36m

    paths, _ = split_paths(data, split)
    return open_human36m(paths, split, model.total_length, model.img_height, model.img_width)


def _open_radar(data, model, split):
    from mim_tf.data.radar import list_events, open_events

    return open_events(
        _recordings(list_events, data, split),
        model.total_length,
        LinearScale("dBZ", data.dbz_min, data.dbz_max),
        values=data.radar_values,
        missing=data.radar_missing,
        stride=data.window_stride,
        interval=data.frame_interval,
        thresholds=data.thresholds,
    )


def _recordings(list_recordings, data, split):
    """Paths of the recordings of a split, never one that another split has too."""
    folders, shared = split_paths(data, split)
    if not folders:
        raise MimError(
            f"--dataset={data.dataset} needs its files: give --train_data_paths, and "
            "--valid_data_paths unless one set is to be divided."
        )
    paths = {str(path): path for folder in folders for path in list_recordings(folder)}
    names = split_recordings(list(paths), data, split) if shared else sorted(paths)
    return [paths[name] for name in names]


_DATASETS = {
    "mnist": _open_moving_mnist,
    "mnist_color": _open_color_moving_mnist,
    "taxibj": _open_taxibj,
    "human": _open_human36m,
    "radar": _open_radar,
}
