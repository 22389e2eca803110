"""From the configuration to a source: opens a split of any data set and scales its values.

`config/datasets.py` declares the data sets. The functions open_NAME and shape_of_NAME of those in
the package are in `sets/` and, for arrays and folders, in `files/recordings.py`.
"""

import dataclasses

import numpy as np
from absl import logging

from mim_tf.config import DataConfig, ModelConfig
from mim_tf.data.crops import Crops
from mim_tf.data.scale_fit import ScaledSource, check_units, fit_scale
from mim_tf.data.source import SequenceSource, TooShortError, warn_of_step
from mim_tf.data.split import ALL, SPLITS, how_divided, split_paths
from mim_tf.errors import MimError
from mim_tf.values.grid import check_grid
from mim_tf.values.scale import UNIT, LinearScale


def open_source(data: DataConfig, model: ModelConfig, split: str) -> SequenceSource:
    """Open a split: "train", "valid", "test", or "all" of a set that is divided.

    No two splits share a sequence, except in TaxiBJ, Human3.6M and KTH, with two different paths,
    and in Moving MNIST with `valid_data_paths` alone, where "valid" and "test" are the same.

    Raises:
        MimError: if the split is unknown, its files cannot be used, or its frames do not fit the
            model: another shape, grid or, for scores, another scale.
    """
    # What is generated, has its own splits, or two paths, is no whole that could be divided.
    paths, shared = split_paths(data, split)
    known = (*SPLITS, ALL) if paths and shared and ALL in data.declared.splits else SPLITS
    if split not in known:
        raise MimError(f"Expected split to be one of {', '.join(known)}, got {split!r}.")
    source = open_part(data, split, model.frame_shape, model.total_length, model.scale)
    if source.shape[1:] != model.frame_shape:
        raise MimError(
            f"The model takes frames of (height, width, channels) {model.frame_shape}, the data "
            f"has {source.shape[1:]}. Set img_height, img_width and img_channel to the data's. "
            "Weights for one channel take several with channels_apart."
        )
    if callable(data.declared.open):  # registered by a user
        _check_first(source, data.dataset, model.total_length)
    _check_scale(data, model.scale, split, source.scale)
    _warn_of_unknown(model, source)
    warn_of_step(model.frame_step, source.frame_step)
    # Two paths of one run need one grid; weights may be tried and trained further elsewhere.
    must_match = split != "train" and not shared
    check_grid(model.frame_grid, source.frame_grid, ", ".join(map(str, paths)), must_match)
    return source


def _check_first(source, name, length):
    """Check the first sequence as `SequenceSource.sequences` describes it; the backend cannot."""
    if source.size == 0 or source.shape[0] != length:
        words = f"expected sequences of {length} frames (total_length)"
        raise MimError(f"--dataset={name}: {words}, got {source.size} of {source.shape[0]}.")
    frames = np.asanyarray(source.sequences([0]))
    found, expected = (frames.dtype.name, list(frames.shape)), ("float32", [1, *source.shape])
    if found != expected or np.ma.is_masked(frames):
        mask = " with a mask" if np.ma.is_masked(frames) else ""
        raise MimError(
            f"--dataset={name}: expected sequences([0]) of {expected[0]} {expected[1]}, got "
            f"{found[0]} {found[1]}{mask}. Convert them, and set missing values to NaN."
        )
    if np.isnan(frames).any() and not source.has_missing:
        raise MimError(f"--dataset={name}: expected no NaN, or has_missing=True, got NaN.")
    low, high = np.fmin.reduce(frames, None), np.fmax.reduce(frames, None)
    if (source.scale or UNIT).clipped and (low < 0 or high > 1):
        raise MimError(
            f"--dataset={name}: expected values in [0, 1], got {low:g} to {high:g}. Divide levels "
            "of 0 to 255 by 255, or give the source a scale."
        )


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


def _warn_of_unknown(model, source):
    """Log a warning if the weights know more of the frames of their training than the data tells.

    Whether the frames are of the same values, step and place, cannot be checked then.
    """
    grid = model.frame_grid and model.frame_grid.words
    learnt = {
        "scale": model.scale and model.scale.words,
        "frame_step": model.frame_step and f"{model.frame_step} apart",
        "frame_grid": grid and f"on the grid {grid}",
    }
    unknown = [words for name, words in learnt.items() if words and not getattr(source, name)]
    if unknown:
        logging.warning(
            "The weights were trained on frames with known values or places (%s), and this data "
            "does not say whether its frames are the same. Check that they are.",
            "; ".join(unknown),
        )


def open_part(
    data: DataConfig,
    split: str,
    frame_shape: tuple[int, int, int],
    total_length: int | None,
    scale: LinearScale | None = None,
) -> SequenceSource:
    """Open a split, or "all" of a set that is divided by recording or sequence.

    `frame_shape` is that of frames that are generated or resized, and of videos and images. Without
    `total_length`, sequences are as long as the file says. Without `scale`, of the weights,
    `data.scale` is fitted to the training split, or to all where "all" is opened.
    """
    declared = data.declared
    if data.crop:
        found = declared.frame_shape_of(data) or frame_shape
        # Videos and pictures become what the network takes, grey or RGB, as without crops.
        frame_shape = (*found[:2], frame_shape[2]) if data.dataset == "folder" else found
    try:
        source = declared.open_split(data, split, frame_shape, total_length, scale)
    except TooShortError as error:
        raise MimError(f"{error}{how_divided(data, split)}") from None
    taken = Crops(source, data, split) if data.crop else source
    if not declared.scale_kind or source.scale:
        return taken
    names = source.names or tuple(f"channel{n}" for n in range(1, source.shape[-1] + 1))
    units = source.units or ("",) * len(names)
    if not scale and set(data.scale_kinds) == {"unit"} and not source.units:
        return taken  # in [0, 1], as was checked when it was opened
    if not scale and split not in ("train", ALL):
        # Fitted to the training split alone, so that nothing of the others reaches the network.
        scale = open_part(data, "train", frame_shape, total_length).scale
    if not scale:
        scale = fit_scale(source, data.scale_kinds, names, units)
    else:
        if source.units:
            check_units(scale, names, units)
        scale.warn_of_other_values(source.sequences([0]), f"--dataset={data.dataset}")
    return ScaledSource(taken, scale)


def frame_shape(data: DataConfig, split: str = "train") -> tuple[int, int, int] | None:
    """Return (H, W, C) of the frames of a split, None if its paths are not given yet.

    Opens as little as possible: one file or recording, the catalogue of SEVIR, the folders of
    HKO-7's days, the coordinates of a grid. Raises `MimError` if it cannot be read.
    """
    if split != "train" and data.valid_data_paths:
        data = dataclasses.replace(data, train_data_paths="")
    shape = data.declared.frame_shape_of(data)
    return (data.crop, data.crop, shape[-1]) if data.crop and shape else shape
