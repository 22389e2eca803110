"""From the configuration to a source: opens a split of any data set and scales its values.

`config/datasets.py` declares the data sets; the functions open_NAME and shape_of_NAME of those in
the package are here, at the end. They decide which files belong to a split.
"""

import dataclasses
import functools

from absl import logging

from mim_tf.config import DataConfig, ModelConfig
from mim_tf.data.files.recordings import (
    array_frame_shape,
    array_recordings,
    list_recordings,
    native_shape,
    open_recordings,
)
from mim_tf.data.scale_fit import ScaledSource, check_units, fit_scale
from mim_tf.data.sets import hko7, human36m, kth, radar, sevir, taxibj
from mim_tf.data.sets.grid.files import expand
from mim_tf.data.sets.grid.source import grid_frame_shape, open_fields
from mim_tf.data.sets.moving_mnist.source import moving_mnist_frame_shape, open_moving_mnist
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


def open_source(data: DataConfig, model: ModelConfig, split: str) -> SequenceSource:
    """Open a split ("train", "valid" or "test").

    No two splits share a sequence, except in TaxiBJ, Human3.6M and KTH, with two different paths,
    and in Moving MNIST with `valid_data_paths` alone, where "valid" and "test" are the same.

    Raises:
        MimError: if the split is unknown, its files cannot be used, or its frames do not fit the
            model: another shape, grid or, for scores, another scale.
    """
    if split not in SPLITS:
        raise MimError(f"Expected split to be one of {', '.join(SPLITS)}, got {split!r}.")
    source = open_part(data, split, model.frame_shape, model.total_length, model.scale)
    if source.shape[1:] != model.frame_shape:
        raise MimError(
            f"The model takes frames of (height, width, channels) {model.frame_shape}, the data "
            f"has {source.shape[1:]}. Set img_height, img_width and img_channel to the data's."
        )
    _check_scale(data, model.scale, split, source.scale)
    # Two paths of one run need one grid; weights may be tried and trained further elsewhere.
    paths, shared = split_paths(data, split)
    must_match = split != "train" and not shared
    check_grid(model.frame_grid, source.frame_grid, ", ".join(map(str, paths)), must_match)
    return source


def _check_scale(data, learnt, split, found):
    """Check the scale: scores need that of the training; further training may use another."""
    if not learnt or not found or learnt.is_like(found):
        return
    differ = f"in the training of the weights {learnt.words}, here {found.words}"
    if split == "train" or data.declared.any_scale:
        logging.warning("Frames have another scale than in training: %s.", differ)
        return
    flags = " and ".join(f"--{name}" for name in data.declared.scale_settings)
    advice = f"Set {flags} as in the training." if flags else "Train on this data first."
    raise MimError(f"Expected frames on the scale of the weights, got others: {differ}. {advice}")


def open_part(
    data: DataConfig,
    split: str,
    frame_shape: tuple[int, int, int],
    total_length: int | None,
    scale: LinearScale | None = None,
) -> SequenceSource:
    """Open a split, or "all" of a set that is divided by recording or sequence.

    Args:
        data: where the sequences come from.
        split: "train", "valid", "test", or "all".
        frame_shape: (H, W, C) of frames that are generated or resized, and of videos and images.
        total_length: frames of a sequence; None: as many as the file has, where it says so.
        scale: of the weights; None: as the data says, or `data.scale`, fitted to the training
            split, or to all where "all" is opened.
    """
    open_split = functools.partial(
        data.declared.open_split,
        data,
        frame_shape=frame_shape,
        total_length=total_length,
        scale=scale,
    )
    try:
        source = open_split(split=split)
    except TooShortError as error:
        raise MimError(f"{error}{how_divided(data, split)}") from None
    if not data.declared.scale_kind:
        return source
    names = source.names or tuple(f"channel{n}" for n in range(1, source.shape[-1] + 1))
    units = source.units or ("",) * len(names)
    if scale:
        if source.units:
            check_units(scale, names, units)
        return ScaledSource(source, scale)
    if set(data.scale_kinds) == {"unit"} and not source.units:
        return source  # in [0, 1], as was checked when it was opened
    # Fitted to the training split alone, so that nothing of the others reaches the network.
    fitted_to = source if split in ("train", ALL) else open_split(split="train")
    return ScaledSource(source, fit_scale(fitted_to, data.scale_kinds, names, units))


def frame_shape(data: DataConfig) -> tuple[int, int, int] | None:
    """Return (H, W, C) of the frames of the data, None if its paths are not given yet.

    Opens as little as possible: one file or recording, the catalogue of SEVIR, the folders of
    HKO-7's days, the coordinates of a grid.

    Raises:
        MimError: if it cannot be read.
    """
    return data.declared.frame_shape_of(data)


# Data sets of videos, events and arrays, divided by recording.


def _recordings(list_in, data, split, along_time=False):
    """Return the recordings of a split, and the part of each that belongs to it."""
    paths, shared = split_paths(data, split)
    if not paths:
        raise MimError(
            f"--dataset={data.dataset} needs its files: give --train_data_paths, and "
            "--valid_data_paths unless one set is to be divided."
        )
    recordings = [recording for path in paths for recording in list_in(path)]
    if not shared:
        if data.dataset != "array":  # whose videos do not have paths
            check_apart(recordings, list_in, data, split)
    elif along_time and len(recordings) < len(SPLITS):
        return recordings, part_of_time(data, split)
    else:
        recordings = divide(recordings, data, split)
    return recordings, (0.0, 1.0)


def open_radar(data, split, frame_shape, total_length):
    events, _ = _recordings(radar.list_events, data, split)
    return radar.open_events(events, total_length, data)


def open_folder(data, split, frame_shape, total_length):
    recordings, part = _recordings(list_recordings, data, split, along_time=True)
    return open_recordings(recordings, frame_shape, total_length, data, part)


def open_array(data, split, frame_shape, total_length, scale=None):
    list_in = functools.partial(array_recordings, check=data.check_files)
    recordings, part = _recordings(list_in, data, split, along_time=True)
    any_range = scale is not None or set(data.scale_kinds) != {"unit"}
    return open_recordings(recordings, frame_shape, total_length, data, part, any_range)


# Data sets that are divided by date, as published or by their own rule.


def _shared_paths(data, split, rule="as published"):
    paths, shared = split_paths(data, split)
    if not shared or not paths:
        raise MimError(
            f"--dataset={data.dataset} is divided {rule}: expected one path with all splits, got "
            f"--train_data_paths={data.train_data_paths} and "
            f"--valid_data_paths={data.valid_data_paths}. Give --train_data_paths alone."
        )
    return paths


def open_taxibj(data, split, frame_shape, total_length):
    paths, _ = split_paths(data, split)
    if paths:
        paths = _shared_paths(data, split, "by date, and all splits have one scale")
    return taxibj.open_taxibj(paths, split, total_length, data)


def open_human(data, split, frame_shape, total_length):
    paths, _ = split_paths(data, split)
    return human36m.open_human36m(paths, split, total_length, *frame_shape[:2])


def open_kth(data, split, frame_shape, total_length):
    paths, _ = split_paths(data, split)
    return kth.open_kth(paths, split, frame_shape, total_length)


def open_sevir(data, split, frame_shape, total_length):
    return sevir.open_sevir(_shared_paths(data, split), split, frame_shape, total_length, data)


def open_hko7(data, split, frame_shape, total_length):
    return hko7.open_hko7(_shared_paths(data, split), split, frame_shape, total_length, data)


def open_grid(data, split, frame_shape, total_length, scale=None):
    paths, shared = split_paths(data, split)
    if not paths:
        raise MimError(
            "--dataset=grid needs its files: give --train_data_paths, a file, a pattern or a Zarr "
            "store."
        )
    if not shared:
        check_apart(expand(paths), lambda path: expand([path]), data, split)
    if scale and not data.variables:  # those of the training
        data = dataclasses.replace(data, variables=",".join(scale.names))
    return open_fields(paths, split, shared, total_length, data)


open_mnist = open_moving_mnist


# Shapes of frames, from as few files as possible.


def _with_paths(read):
    def shape_of(data):
        paths, _ = split_paths(data, "train")
        return read(paths, data) if paths or data.taxibj_synthetic else None

    return shape_of


shape_of_taxibj = _with_paths(taxibj.taxibj_frame_shape)
shape_of_grid = _with_paths(grid_frame_shape)
shape_of_sevir = _with_paths(lambda paths, data: sevir.sevir_frame_shape(paths, data.sevir_type))
shape_of_hko7 = _with_paths(lambda paths, _: hko7.hko7_frame_shape(paths))
shape_of_array = _with_paths(lambda paths, _: array_frame_shape(paths[0]))
shape_of_folder = _with_paths(lambda paths, _: native_shape(list_recordings(paths[0])[0]))


@_with_paths
def shape_of_radar(paths, data):
    event = radar.open_event(radar.list_events(paths[0])[0], None, data.check_files)
    return *event.frame_shape, 1


def shape_of_mnist(data):
    paths, _ = split_paths(data, "train")
    return moving_mnist_frame_shape(paths, data)
