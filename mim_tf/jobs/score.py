"""Scores of forecasts that any program made, from files with the truth and the forecasts."""

import contextlib
import glob
import os
from pathlib import Path

import numpy as np
from absl import logging

from mim_tf.config import TrainingConfig
from mim_tf.data.files.arrays import are_channels_first, check_array, open_frames, take, to_float32
from mim_tf.data.files.images import in_natural_order
from mim_tf.data.scale_fit import ValueStatistics
from mim_tf.data.sets.grid.files import is_grid
from mim_tf.data.sets.grid.grid import RAIN_RATE, Grid, Stretch
from mim_tf.data.sets.grid.times import read_times, runs
from mim_tf.data.source import Indices, SequenceSource, WindowSource
from mim_tf.errors import MimError
from mim_tf.jobs.evaluate import in_words, scored
from mim_tf.runs.folder import new_run_folder
from mim_tf.storage.paths import list_folder
from mim_tf.values.grid import check_grid
from mim_tf.values.scale import LinearScale, are_same_units
from mim_tf.values.step import step_in_words

ARRAYS = (".npy", ".npz")
_LAYOUTS = {4: "[N, T, H, W]", 5: "[N, T, H, W, C]"}


def score_files(
    truth: str,
    prediction: str,
    config: TrainingConfig,
    thresholds: tuple[float, ...] = (),
    variables: tuple[str, ...] = (),
    unit: str = "",
    context: int = 2,
) -> tuple[str, list[Path]]:
    """Score forecasts in files against the truth.

    Args:
        truth: `.npy` or `.npz` file of sequences `[N, T, H, W]` or `[N, T, H, W, C]`, whose last
            frames are predicted; or a NetCDF, Zarr or GRIB file, pattern or folder with the fields
            of all times.
        prediction: an array `[N, horizon, ...]`; or for fields a file, or a pattern with a forecast
            a file, which are matched by the times they are for. A folder holds such a file, or a
            folder of forecasts, for each of several models.
        config: protocol, batch size, number of sequences and samples, and folder.
        thresholds: for the scores of events, in the unit of the values.
        variables: of fields, NAME or NAME@LEVEL; by default those of the forecasts.
        unit: of the values of arrays.
        context: fields of the truth before each forecast, for the baselines. They end where a
            forecast of one field starts, if its file has the `forecast_reference_time`.

    Returns:
        The scores of each model as text, and the folders with its scores, pictures and page.
    """
    models, opened = list_models(prediction), {}
    are_arrays = {files[0].suffix.lower() in ARRAYS for files in models.values()}
    if (variables and True in are_arrays) or (unit and False in are_arrays):
        raise MimError("Expected --unit of arrays only, and --variables of fields only.")
    for name, paths in models.items():
        if paths[0].suffix.lower() in ARRAYS:
            opened[name] = _open_arrays(Path(truth), paths, unit)
        else:
            opened[name] = _open_fields(Path(truth), paths, variables, context)
    if len({tuple(each.describe().get("forecasts_from", ())) for each, _ in opened.values()}) > 1:
        raise MimError(
            f"{prediction}: expected a file for each of several models, with forecasts for the "
            f"same times, got other times. For one model with a forecast a file, give a pattern, "
            f"such as --prediction='{prediction}/*.nc'."
        )
    first, texts, folders = new_run_folder(config.gen_frm_dir, "score"), [], []
    for name, (source, forecasts) in opened.items():
        if thresholds and source.shape[-1] > 1:
            raise MimError(
                f"{truth}: expected one channel for --thresholds, got {source.shape[-1]}. Save "
                "one, such as array[..., :1], or choose one of the --variables."
            )
        source.thresholds = thresholds
        given = source.shape[0] - forecasts.shape[0]
        folder = first / name if len(models) > 1 else first
        predict = _reader(source, forecasts, given, name)
        texts.append(in_words(scored(predict, source, given, config, folder=folder), name))
        folders.append(folder)
    return "\n\n".join(texts), folders


def list_models(prediction: str) -> dict[str, list[Path]]:
    """Return the name of each model and the files with its forecasts; `MimError` without any."""
    path = Path(prediction)
    if glob.has_magic(prediction) and not os.path.lexists(path):
        files = in_natural_order(map(Path, glob.glob(prediction, recursive=True)))
        folder = path.parent.name
        found = {"forecasts" if glob.has_magic(folder) else folder or "forecasts": files}
    elif os.path.isdir(path) and not is_grid(path):
        entries = list_folder(path)
        stems = [each.name if os.path.isdir(each) else each.stem for each in entries]
        # A.npy and A.nc are two models.
        names = stems if len(set(stems)) == len(stems) else [each.name for each in entries]
        found = {n: _forecasts_at(each) for n, each in zip(names, entries, strict=True)}
    else:
        found = {path.stem: _forecasts_at(path)}
    found = {name: files for name, files in found.items() if files}
    if not found:
        expected = "forecasts, files .npy, .npz, .nc, .zarr or .grib"
        raise MimError(f"{prediction}: expected {expected}, got none. Check the path.")
    return found


def _forecasts_at(path):
    """Return the files with the forecasts of a model; none if it is another file."""
    if os.path.isdir(path) and not is_grid(path):
        return [each for each in list_folder(path) if is_grid(each)]
    return [path] if path.suffix.lower() in ARRAYS or is_grid(path) else []


class Truths(SequenceSource):
    """True or predicted sequences of an array `[N, T, H, W, C]`, as they are; NaN where missing."""

    has_missing = True

    def __init__(self, frames: np.ndarray, name: Path):
        self.frames, self.name = frames, str(name)
        self.size, self.shape = len(frames), frames.shape[1:]

    def sequences(self, indices: Indices) -> np.ndarray:
        return to_float32(take(self.frames, np.asarray(indices, np.int64)))

    def describe(self) -> dict:
        return super().describe() | {"source": "scored files", "paths": [self.name]}


def _open_arrays(truth, predictions, unit):
    """Return the truth and the forecasts as sources."""
    prediction, *others = predictions
    if others:
        raise MimError(f"{prediction}: expected all forecasts in one array, got {others[0]}, too.")
    frames, forecasts = _open_array(truth), _open_array(prediction)
    (count, length, *frame), (number, horizon, *predicted) = frames.shape, forecasts.shape
    if (count, *frame) != (number, *predicted) or horizon > length:
        raise MimError(
            f"{prediction}: expected [N, horizon, H, W, C] with the N, H, W and C of {truth}, "
            f"{list(frames.shape)}, whose last frames are predicted, got {list(forecasts.shape)}."
        )
    if unit and np.uint8 in (frames.dtype, forecasts.dtype):
        raise MimError(
            f"Expected floats for --unit={unit}, got uint8, whose levels count as 0 to 1. Save "
            f"array.astype('float32') of values in {unit}, or leave --unit out."
        )
    source, forecast = Truths(frames, truth), Truths(forecasts, prediction)
    known, guessed = _known_values(source, truth, forecast)
    low, high = guessed.low.min(), guessed.high.max()
    is_other = not -1 <= low <= high <= 2
    if frames.dtype == np.uint8 and is_other:
        raise MimError(
            f"{prediction}: expected values of 0 to 1, as the levels of {truth} count, got {low:g} "
            f"to {high:g}. Convert one of them."
        )
    if not unit and is_other and known.low.min() >= 0 and known.high.max() <= 1:
        logging.warning(
            "%s: values from %g to %g count as 0 to 1, because %s has only such, as pictures do. "
            "Give the --unit of physical values.",
            *(prediction, low, high, truth),
        )
    if unit or known.low.min() < 0 or known.high.max() > 1:
        source.scale = _scale_of(known, (unit,), () if unit else ("value",))
    return source, forecast


def _open_array(path):
    """Return an array as `[N, T, H, W, C]`; with `[N, T, C, H, W]`, as of PyTorch, axes move."""
    array = open_frames(path)
    if array.ndim == 5 and are_channels_first(array.shape):
        logging.info("%s: %s is read as [N, T, C, H, W].", path, list(array.shape))
        array = np.moveaxis(array, 2, -1)
    check_array(array, path, _LAYOUTS)
    return array[..., None] if array.ndim == 4 else array


def _known_values(source, truth, forecasts):
    """Return the statistics of `source`, of the file `truth`, and of `forecasts`.

    Raises `MimError` if the truth is infinite. A warning is logged if forecasts seem to be on
    another scale.
    """
    known, guessed = found = [ValueStatistics(each.shape[-1]) for each in (source, forecasts)]
    for each, statistics in zip((source, forecasts), found, strict=True):
        for index in range(each.size):
            statistics.update(each.sequences([index]))
    low, high = float(known.low.min()), float(known.high.max())
    if not np.isfinite([low, high]).all():
        found = "infinity" if low <= high else "only NaN"
        raise MimError(f"{truth}: expected finite values, or NaN where missing; got {found}.")
    ours, theirs = guessed.high.max() - guessed.low.min(), high - low
    if ours > 20 * theirs or theirs > 20 * ours:
        logging.warning(
            "%s has values from %g to %g, %s from %g to %g. Check that both are on one scale.",
            *(forecasts.name, guessed.low.min(), guessed.high.max(), truth, low, high),
        )
    return known, guessed


def _scale_of(known, units, names) -> LinearScale:
    """Return the scale of values as they are; pictures show the range of the truth."""
    white = np.where(known.low < known.high, known.high, known.low + 1)
    if len(units) == 1:
        low, high = float(known.low.min()), float(white.max())
        return LinearScale(units[0], 0.0, 1.0, False, low, high, names)
    zeros, ones = ((value,) * len(units) for value in (0.0, 1.0))
    ends = tuple(known.low.tolist()), tuple(white.tolist())
    return LinearScale(units, zeros, ones, False, *ends, names)


def _open_fields(truth, predictions, variables, context):
    """Return windows of the truth at the times of each forecast, and the forecasts, as sources."""
    forecasts = [_open_forecast(path, variables) for path in predictions]
    first = forecasts[0]
    grid = Grid([truth], variables or first.variables)
    if are_same_units(first.units, (RAIN_RATE,)):  # as mim predict writes sums
        with contextlib.suppress(MimError):  # other units are reported below
            grid = Grid([truth], variables or first.variables, as_rain_rate=True)
    for each in forecasts:
        (path,) = each.paths
        if each.variables != first.variables:
            ours, theirs = (", ".join(one.variables) for one in (first, each))
            raise MimError(f"{path}: expected {ours} as in {first.paths[0]}, got {theirs}.")
        if not are_same_units(each.units, grid.units) or len(each) != len(first):
            raise MimError(
                f"{path}: expected {len(first)} fields in {_in_words(grid.units)} as in "
                f"{first.paths[0]} and {truth}, got {len(each)} in {_in_words(each.units)}. "
                "Convert them, or leave that forecast out."
            )
        if each.frame_shape != grid.frame_shape:
            raise MimError(
                f"{path}: expected the grid of {truth}, {grid.frame_grid.words}, got "
                f"{each.frame_grid.words}. Interpolate or cut one of them."
            )
        check_grid(grid.frame_grid, each.frame_grid, str(path), must=True)
    places = [_times_in(grid, each, truth) for each in forecasts]
    interval, *others = {step for _, step in places}
    if others or not interval:
        raise MimError(f"{predictions[0]}: expected forecasts with one step, got several.")
    stretches = runs(grid.times, 0, len(grid))
    starts = np.array([place for place, _ in places])
    number = np.searchsorted([start for start, _ in stretches], starts, side="right") - 1
    begins = np.array([stretches[n][0] for n in number])
    wanted, context = context, int(min(context, ((starts - begins) // interval).min()))
    if wanted and not context:
        logging.warning("%s: no field before each forecast, so there are no baselines.", truth)
    elif context < wanted:
        message = "%s: baselines see %d fields, because there are no more before each forecast."
        logging.warning(message, truth, context)
    source = WindowSource(
        [Stretch(grid, *run) for run in stretches],
        grid.frame_shape,
        context + len(first),
        interval=interval,
        starts=np.stack([number, starts - begins - context * interval], axis=1),
        frame_step=step_in_words(grid.step[0] * interval, grid.step[1]) if grid.step[0] else "",
        description={
            "source": "scored files",
            "paths": [str(path) for path in grid.paths],
            "forecasts_from": [each.times.text(0) for each in forecasts],
        },
        names=tuple(grid.variables),
        units=grid.units,
        latitude=grid.latitude,
        frame_grid=grid.frame_grid,
        south_first=grid.south_first,
        has_missing=True,
    )
    fields = np.stack([each.read(range(len(each))) for each in forecasts])
    found = Truths(fields, predictions[0])
    known, _ = _known_values(source, truth, found)
    source.scale = _scale_of(known, grid.units, tuple(grid.variables))
    return source, found


def _open_forecast(path, variables):
    # mim predict writes NAME_LEVEL for NAME@LEVEL.
    try:
        return Grid([path], variables)
    except MimError:
        flat = tuple(name.replace("@", "_") for name in variables)
        if flat == variables:
            raise
        return Grid([path], flat)


def _in_words(units):
    return ", ".join(unit or "no unit" for unit in units)


def _times_in(grid, forecast, truth) -> tuple[int, int]:
    """Return the place of a forecast's first time in the truth, and its step in fields of it."""
    places = np.searchsorted(grid.times.seconds, forecast.times.seconds)
    there = np.take(grid.times.seconds, places, mode="clip") == forecast.times.seconds
    lead = _lead(grid, forecast, int(places[0]))
    steps = np.unique(np.diff(places)) if len(places) > 1 else [lead or 1]
    # Across a gap of the truth, fields that follow each other there are further apart in time.
    apart = forecast.times.steps()[0]
    what, found = f"a field for {forecast.times.text(int(np.argmin(there)))}", "none"
    if forecast.times.calendar != grid.times.calendar:
        found = f"the calendar {grid.times.calendar} (xarray: convert_calendar)"
    elif there.all():
        if len(steps) == 1 and (apart == apart[:1]).all():
            if lead not in (None, steps[0]):
                logging.warning(
                    "%s: baselines know fields up to one step before its first field, but it "
                    "starts at another time.",
                    forecast.paths[0],
                )
            return int(places[0]), int(steps[0])
        what, found = "fields one step apart", f"those from {forecast.times.span()} with gaps"
    raise MimError(
        f"{truth}: expected {what}, of {forecast.paths[0]}, got {found}: it has "
        f"{grid.times.span()}. Add fields to the truth, or leave out that forecast."
    )


def _lead(grid, forecast, place):
    """Return how many fields of the truth its first field is after its start; None if unknown."""
    for each in forecast.channels[0][0].data.coords.values():
        if each.attrs.get("standard_name") == "forecast_reference_time" and each.size == 1:
            start = read_times(forecast.paths[0], each.values.ravel()).seconds
            # From the last field that was there at the start.
            return place - int(np.searchsorted(grid.times.seconds, start[0], side="right")) + 1
    return None


def _reader(source, forecasts, context, name):
    """Return a function from frames and indices to the forecasts of these indices."""

    def predict(_, indices):
        found = forecasts.sequences(indices)
        missing = ~np.isfinite(found)
        if missing.any():
            truth = source.sequences(indices)[:, context:]
            wrong = np.argwhere(missing & ~np.isnan(truth))
            if len(wrong):
                place = f"frame {wrong[0][1] + 1} of sequence {indices[wrong[0][0]] + 1}"
                raise MimError(
                    f"{name}: expected finite forecasts where the truth is known, got NaN or "
                    f"infinity in {place}. Fill it, or set the truth to NaN there."
                )
        return np.where(missing, np.float32(0), found)

    return predict
