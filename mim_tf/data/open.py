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
    from mim_tf.data.moving_mnist.source import MovingMNIST

    return _open_mnist(MovingMNIST, data, model, split)


def _open_color_moving_mnist(data, model, split):
    from mim_tf.data.moving_mnist.color import ColorMovingMNIST

    return _open_mnist(ColorMovingMNIST, data, model, split)


def _open_mnist(generator, data, model, split):
    from mim_tf.data.files.arrays import ArraySource, open_array
    from mim_tf.data.moving_mnist.npz import NpzSource

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
    from mim_tf.data.moving_mnist.digits import load_digits

    return load_digits(choice)


def _generate(generator, data, model, split):
    digits = _digits(data.digits)
    size = {
        "train": data.train_sequences or None,
        "valid": data.valid_sequences,
        "test": data.test_sequences,
    }[split]
    return generator(
        getattr(digits, split),
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

    paths, shared = split_paths(data, split)
    if not shared:
        raise MimError(
            "TaxiBJ is divided by date, and all splits share one scale: expected the same files "
            f"for train and valid, received --train_data_paths={data.train_data_paths} and "
            f"--valid_data_paths={data.valid_data_paths}. Give one of the two."
        )
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
    from mim_tf.data.radar.source import list_events

    events = _recordings(list_events, data, split)
    return radar_source(events, data, model.total_length, data.window_stride)


def radar_source(events, data: DataConfig, total_length: int, stride: int) -> SequenceSource:
    """Windows of radar events, read as `data` says."""
    from mim_tf.data.radar.source import open_events

    return open_events(
        events,
        total_length,
        LinearScale("dBZ", data.dbz_min, data.dbz_max),
        values=data.radar_values,
        missing=data.radar_missing,
        stride=stride,
        interval=data.frame_interval,
        thresholds=data.thresholds,
    )


def _open_folder(data, model, split):
    from mim_tf.data.files.folder import list_recordings

    return _open_own(_recordings(list_recordings, data, split), data, model)


def _open_arrays(data, model, split):
    from mim_tf.data.files.array_videos import array_recordings

    return _open_own(_recordings(array_recordings, data, split), data, model)


def _open_own(recordings, data, model):
    from mim_tf.data.files.folder import open_recordings

    return open_recordings(
        recordings,
        model.frame_shape,
        model.total_length,
        stride=data.window_stride,
        interval=data.frame_interval,
        resize=data.resize,
    )


def _recordings(list_recordings, data, split):
    """The recordings of a split, never one that another split has too."""
    paths, shared = split_paths(data, split)
    if not paths:
        raise MimError(
            f"--dataset={data.dataset} needs its files: give --train_data_paths, and "
            "--valid_data_paths unless one set is to be divided."
        )
    recordings = [recording for path in paths for recording in list_recordings(path)]
    return split_recordings(recordings, data, split) if shared else recordings


_DATASETS = {
    "mnist": _open_moving_mnist,
    "mnist_color": _open_color_moving_mnist,
    "taxibj": _open_taxibj,
    "human": _open_human36m,
    "radar": _open_radar,
    "folder": _open_folder,
    "array": _open_arrays,
}
