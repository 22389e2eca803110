"""Fields with coordinates to predict from."""

import dataclasses
import os
from pathlib import Path

from mim_tf.config import DataConfig
from mim_tf.data.grid.files import is_grid, is_pattern
from mim_tf.data.grid.grid import open_grid
from mim_tf.data.grid.placement import check_placement
from mim_tf.data.grid.source import Stretch
from mim_tf.data.grid.step import Step, step_from_words, step_in_words
from mim_tf.data.grid.times import runs
from mim_tf.data.scale_fit import check_units
from mim_tf.errors import MimError
from mim_tf.given_path import list_folder
from mim_tf.prediction.forecast_file import ForecastOrigin
from mim_tf.prediction.inputs import Input, Scaled


def has_coordinates(text: str) -> bool:
    """Whether an input is a file, store or pattern, or a folder of them, with coordinates."""
    path = Path(text)
    if os.path.isdir(path) and not is_grid(path):
        return any(map(is_grid, list_folder(path)))
    return is_grid(path) or is_pattern(path)


def open_grid_input(
    text: str,
    predictor,
    weights: str,
    part: DataConfig,
    context: int | None = None,
    interval: int | None = None,
) -> Input:
    """The last fields of files with coordinates, on the scale of the model.

    Args:
        text: path of a file or store, a pattern, or a folder of them.
        predictor: `FromWeights` or `FromExport`, of a model with a scale.
        weights: what it predicts with, for the record.
        part: variables, by default those of the model, region and coarsening.
        context: use the last so many fields; None: as many as the model was trained with.
        interval: use every Nth field, counted from the last; None: those as far apart as the model
            was trained with, or all where it does not say.

    Raises:
        MimError: for files that cannot be used, fields that do not fit the model, and too few of
            them since the last gap.
    """
    scale = predictor.scale
    if scale is None:
        raise MimError(
            f"{weights}: expected weights that know what values stand for, to predict from {text}; "
            "these take frames in [0, 1]. Train with --dataset=grid, or give a .npy file."
        )
    variables = part.variables or ",".join(scale.names)
    grid = open_grid([Path(text)], dataclasses.replace(part, variables=variables))
    if grid.frame_shape != predictor.frame_shape:
        raise MimError(
            f"{text}: expected fields of (height, width, channels) {predictor.frame_shape}, as the "
            f"model's are, received {grid.frame_shape}. Give the --region and --coarsen of the "
            "training, or other --variables."
        )
    check_units(scale, grid.variables, grid.units)
    check_placement(predictor.frame_grid, grid.words, text)
    interval, step = _spacing(text, grid.step, predictor.frame_step, interval)
    first, last = runs(grid.times, 0, len(grid))[-1]
    length = context or predictor.context_length or predictor.input_length
    found = len(range(first, last, interval))
    if found < length:
        apart = f" {step_in_words(*step)} apart," if interval > 1 else ""
        raise MimError(
            f"{text}: expected at least {length} fields{apart} without a gap before the forecast, "
            f"received {found}, from {grid.times.text(first)} to "
            f"{grid.times.text(last - 1)}. Give more, or a smaller --context."
        )
    recording = Scaled(Stretch(grid, first, last), scale)
    opened = Input(Path(text), [recording], context=length, interval=interval)
    opened.origin = ForecastOrigin(grid, last - 1, weights, step)
    return opened


def _spacing(text: str, there: Step, learnt: str, interval: int | None) -> tuple[int, Step]:
    """The interval between the fields to use, and the step it makes.

    Args:
        text: the input, for the message.
        there: the step of its fields.
        learnt: the step the model was trained with, in words, or empty.
        interval: as it was asked for.
    """
    size, unit = there
    if interval or not learnt:
        interval = interval or 1
        return interval, (size * interval, unit)
    wanted = step_from_words(learnt)
    if not size:  # a single field
        return 1, wanted
    if unit != wanted[1] or wanted[0] % size:
        raise MimError(
            f"{text}: expected fields {learnt} apart, as the model was trained with, or closer "
            f"ones among which there are such; received {step_in_words(*there)}. Give others, or "
            "say with --frame_interval=N that every Nth will do."
        )
    return wanted[0] // size, wanted
