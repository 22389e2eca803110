"""From the configuration to a source: the one place that knows all data sets."""

import dataclasses
import functools

from absl import logging

from mim_tf.config import DataConfig, ModelConfig
from mim_tf.config.data import SCALED_DATASETS
from mim_tf.data.files.recordings import (
    array_frame_shape,
    array_recordings,
    list_recordings,
    native_shape,
    open_recordings,
)
from mim_tf.data.scale_fit import ScaledSource, check_units, fit_scale
from mim_tf.data.sets.grid.files import expand
from mim_tf.data.sets.grid.source import grid_frame_shape, open_fields
from mim_tf.data.sets.hko7 import hko7_frame_shape, open_hko7
from mim_tf.data.sets.human36m import FRAME_SHAPE as HUMAN_SHAPE
from mim_tf.data.sets.human36m import open_human36m
from mim_tf.data.sets.kth import FRAME_SHAPE as KTH_SHAPE
from mim_tf.data.sets.kth import open_kth
from mim_tf.data.sets.moving_mnist.source import moving_mnist_frame_shape, open_moving_mnist
from mim_tf.data.sets.radar import list_events, open_event, open_events
from mim_tf.data.sets.sevir import open_sevir, sevir_frame_shape
from mim_tf.data.sets.taxibj import open_taxibj, taxibj_frame_shape
from mim_tf.data.source import SequenceSource
from mim_tf.data.split import (
    ALL,
    SPLITS,
    check_apart,
    divide,
    how_divided,
    part_of_time,
    split_paths,
)
from mim_tf.data.windows import TooShortError
from mim_tf.errors import MimError
from mim_tf.values.grid import check_grid
from mim_tf.values.scale import LinearScale

_SCALE_FLAGS = {
    "radar": "Set --dbz_min and --dbz_max as in the training.",
    "sevir": "Set --sevir_type as in the training.",
}
_SHAPES = {"human": HUMAN_SHAPE, "kth": KTH_SHAPE}


def open_source(data: DataConfig, model: ModelConfig, split: str) -> SequenceSource:
    """The source of a split ("train", "valid" or "test").

    No two splits share a sequence, but for TaxiBJ, Human3.6M, KTH, two different paths, and Moving
    MNIST with `valid_data_paths` alone, where "valid" and "test" are the same.

    Raises:
        MimError: if the split is unknown, its files cannot be used, or its frames do not fit the
            model or, where they have a grid, lie otherwise than those of its training; and if
            weights are to be scored on frames of another scale than theirs.
    """
    if split not in SPLITS:
        raise MimError(f"split must be one of: {', '.join(SPLITS)}; received {split!r}.")
    source = open_part(data, split, model.frame_shape, model.total_length, model.scale)
    if source.shape[1:] != model.frame_shape:
        raise MimError(
            f"The model takes frames of (height, width, channels) {model.frame_shape}, the data "
            f"has {source.shape[1:]}. Set img_height, img_width and img_channel to the data's."
        )
    _check_scale(data, model.scale, split, source.scale)
    _check_grid(data, model, split, source)
    return source


def _check_scale(data, learnt, split, found):
    """Scores need the scale of the training; weights may be trained further on another one.

    That of TaxiBJ is fitted to each city, so that weights of one may be scored on another.
    """
    if not learnt or not found or learnt.is_like(found):
        return
    differ = f"in the training of the weights {learnt.words}, here {found.words}"
    if split == "train" or data.dataset == "taxibj":
        logging.warning("Frames have another scale than they had: %s.", differ)
        return
    mending = _SCALE_FLAGS.get(data.dataset, "Train the weights further on this data first.")
    raise MimError(
        f"Expected frames on the scale of the weights, received others: {differ}. {mending}"
    )


def _check_grid(data, model, split, source):
    """Two paths of one run need one grid; weights may be tried and trained further elsewhere."""
    paths, shared = split_paths(data, split)
    where = ", ".join(map(str, paths))
    must_match = split != "train" and not shared
    check_grid(model.frame_grid, source.frame_grid, where, must_match)


def open_part(
    data: DataConfig,
    split: str,
    frame_shape: tuple[int, int, int],
    total_length: int | None,
    scale: LinearScale | None = None,
) -> SequenceSource:
    """A split, or "all" of a set that is divided by recording or sequence.

    Args:
        data: where the sequences come from.
        split: "train", "valid", "test", or "all".
        frame_shape: (H, W, C) of frames that are generated or resized, and of videos and images.
        total_length: frames of a sequence; None: as many as the file has, where it says so.
        scale: what the numbers in frames stand for; None: as the data says, or `data.scale` of
            the training split, or of all where that is what is opened.
    """
    opener = _OPENERS[data.dataset]
    if scale and data.dataset in SCALED_DATASETS:
        # Values are read as they are, for the scale to map, from the variables it knows.
        variables = data.variables or ",".join(scale.names)
        data = dataclasses.replace(data, scale="none", variables=variables)
    try:
        source = opener(data, split, frame_shape, total_length)
    except TooShortError as error:
        raise MimError(f"{error}{how_divided(data, split)}") from None
    if data.dataset not in SCALED_DATASETS:
        return source
    if data.dataset == "array" and set(data.scale_kinds) == {"unit"} and not scale:
        return source  # whose values have been looked at
    if not scale:
        fitted_to = (
            source if split in ("train", ALL) else opener(data, "train", frame_shape, total_length)
        )
        scale = fit_scale(fitted_to, data.scale_kinds, *_channels(fitted_to))
    elif source.units:
        check_units(scale, source.names, source.units)
    return ScaledSource(source, scale)


def _channels(source):
    """Names and units of the channels of a source."""
    count = source.shape[-1]
    names = source.names or tuple(f"channel{n}" for n in range(1, count + 1))
    return names, source.units or ("",) * count


def frame_shape(data: DataConfig) -> tuple[int, int, int] | None:
    """(H, W, C) of the frames of the data, None if its paths are yet to be given.

    Opens no more than one file or recording, besides the catalogue of SEVIR and the folders of the
    days of HKO-7; of a grid all files, but no field. Generated Moving MNIST is 64 x 64, Human3.6M
    and KTH 128 x 128.

    Raises:
        MimError: if what it opens cannot be read.
    """
    paths, _ = split_paths(data, "train")
    if data.dataset in ("mnist", "mnist_color"):
        return moving_mnist_frame_shape(paths, data)
    if data.dataset in _SHAPES:
        return _SHAPES[data.dataset]
    if not paths and not data.taxibj_synthetic:
        return None
    if data.dataset == "taxibj":
        return taxibj_frame_shape(paths, data)
    if data.dataset == "radar":
        event = open_event(list_events(paths[0])[0], None, data.check_files)
        return (*event.frame_shape, 1)
    if data.dataset == "sevir":
        return sevir_frame_shape(paths, data.sevir_type)
    if data.dataset == "hko7":
        return hko7_frame_shape(paths)
    if data.dataset == "grid":
        return grid_frame_shape(paths, data)
    if data.dataset == "array":
        return array_frame_shape(paths[0])
    return native_shape(list_recordings(paths[0])[0])


def _open_taxibj(data, split, frame_shape, total_length):
    paths, shared = split_paths(data, split)
    if not shared:
        raise MimError(
            "TaxiBJ is divided by date, and all splits share one scale: expected the same files "
            f"for train and valid, received --train_data_paths={data.train_data_paths} and "
            f"--valid_data_paths={data.valid_data_paths}. Give one of the two."
        )
    return open_taxibj(paths, split, total_length, data)


def _open_human36m(data, split, frame_shape, total_length):
    paths, _ = split_paths(data, split)
    return open_human36m(paths, split, total_length, *frame_shape[:2])


def _open_kth(data, split, frame_shape, total_length):
    paths, _ = split_paths(data, split)
    return open_kth(paths, split, frame_shape, total_length)


def _open_sevir(data, split, frame_shape, total_length):
    return open_sevir(_shared_paths(data, split), split, frame_shape, total_length, data)


def _open_hko7(data, split, frame_shape, total_length):
    return open_hko7(_shared_paths(data, split), split, frame_shape, total_length, data)


def _open_radar(data, split, frame_shape, total_length):
    events = _all_recordings(list_events, data, split)
    events = _own_recordings(events, data, split, list_events)
    return open_events(events, total_length, data)


def _open_folder(data, split, frame_shape, total_length):
    return _open_videos(list_recordings, data, split, frame_shape, total_length)


def _open_arrays(data, split, frame_shape, total_length):
    listed = functools.partial(array_recordings, check=data.check_files)
    return _open_videos(listed, data, split, frame_shape, total_length)


def _open_videos(list_recordings, data, split, frame_shape, total_length):
    recordings = _all_recordings(list_recordings, data, split)
    _, shared = split_paths(data, split)
    if shared and 0 < len(recordings) < len(SPLITS):
        part = part_of_time(data, split)
        return open_recordings(recordings, frame_shape, total_length, data, part)
    recordings = _own_recordings(recordings, data, split, list_recordings)
    return open_recordings(recordings, frame_shape, total_length, data)


def _open_grid(data, split, frame_shape, total_length):
    paths, shared = split_paths(data, split)
    if not paths:
        raise MimError(
            "--dataset=grid needs its files: give --train_data_paths, a file, a pattern or a Zarr "
            "store."
        )
    if not shared:
        check_apart(expand(paths), lambda path: expand([path]), data, split)
    return open_fields(paths, split, shared, total_length, data)


def _shared_paths(data, split):
    """The paths of a set that says itself how it is divided."""
    paths, shared = split_paths(data, split)
    if not paths or not shared:
        raise MimError(
            f"--dataset={data.dataset} is divided as published: expected one path with all splits, "
            f"received --train_data_paths={data.train_data_paths} and "
            f"--valid_data_paths={data.valid_data_paths}. Give --train_data_paths alone."
        )
    return paths


def _all_recordings(list_recordings, data, split):
    """All recordings at the paths of a split, which may have to be divided."""
    paths, _ = split_paths(data, split)
    if not paths:
        raise MimError(
            f"--dataset={data.dataset} needs its files: give --train_data_paths, and "
            "--valid_data_paths unless one set is to be divided."
        )
    return [recording for path in paths for recording in list_recordings(path)]


def _own_recordings(recordings, data, split, list_recordings):
    """Those of a split, never one that another split has too."""
    _, shared = split_paths(data, split)
    if shared:
        return divide(recordings, data, split)
    if data.dataset != "array":  # whose videos have no path of their own
        check_apart(recordings, list_recordings, data, split)
    return recordings


_OPENERS = {
    "mnist": open_moving_mnist,
    "mnist_color": open_moving_mnist,
    "taxibj": _open_taxibj,
    "human": _open_human36m,
    "radar": _open_radar,
    "kth": _open_kth,
    "sevir": _open_sevir,
    "hko7": _open_hko7,
    "folder": _open_folder,
    "array": _open_arrays,
    "grid": _open_grid,
}
