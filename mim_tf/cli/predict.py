"""Predicts the frames that follow the frames in files.

mim predict --pretrained_model=FILE.h5 --input=FRAMES --output=OUT --horizon=N
"""

import dataclasses
import os
from pathlib import Path

from absl import flags

from mim_tf.cli.command import MATCHING, Command, NetworkFlags, import_keras
from mim_tf.cli.configs import data_of_run, load_network, warn_of_interval
from mim_tf.cli.flags import given
from mim_tf.config import DataConfig, ModelConfig
from mim_tf.config.fields import field
from mim_tf.errors import MimError
from mim_tf.weights.by_name import check_weights_exist, find_preset, newest_export

_OF_GRID = ("variables", "group", "region", "coarsen")


@dataclasses.dataclass
class Flags(NetworkFlags):
    """Flags of `mim predict` alone."""

    pretrained_model: str = field(
        "", "Weights of any kind, a name of mim presets, or a folder made by mim export."
    )
    input: str = field(
        "",
        "Frames to predict from: a .npy file ([T, H, W], [T, H, W, C] or [N, T, H, W, C], uint8, "
        "or float in [0, 1], or in the unit the model was trained in), a folder of images, a video "
        "or GIF; or a folder of these; or NetCDF, Zarr or GRIB, whose last fields are used.",
    )
    output: str = field(
        "",
        "What to make: NAME.npy, NAME.gif, NAME.mp4, a name without suffix for a folder of images; "
        "of an input with coordinates also NAME.nc or NAME.zarr; of a folder of inputs, a folder "
        "with a result for each. {time} in the name becomes the time of the last field used. "
        "Nothing is replaced without --overwrite.",
    )
    overwrite: bool = field(False, "Replace a file or Zarr store that --output names.")
    horizon: int = field(None, "Frames to predict; by default as many as in training.", minimum=1)
    context: int = field(None, "Last frames of each input to use; by default all.", minimum=1)
    frame_interval: int = field(
        None,
        "Use every Nth frame, counted from the last; by default all, or of an input with "
        "coordinates those as far apart as in training, where the weights have it.",
        minimum=1,
    )
    batch_size: int = field(8, "Sequences at a time.", minimum=1)
    resize: bool = field(False, "Resize frames to the height and width of the model.")
    probability_matching: bool = field(False, MATCHING)
    format: str = field(
        None,
        "What to make of each of many inputs; by default npy.",
        choices=("npy", "gif", "mp4", "images", "nc", "zarr"),
    )


def main(values: flags.FlagValues) -> None:
    """Predict from files to files."""
    from mim_tf.data.source import step_of, warn_of_step
    from mim_tf.prediction.inputs import has_coordinates, list_inputs, open_grid_input, open_input
    from mim_tf.prediction.outputs import TIME, name_outputs
    from mim_tf.values.step import step_in_words

    weights, horizon = values.pretrained_model, values.horizon
    # A folder without an export may only have the name of weights in the package.
    is_export = os.path.isdir(weights) and (
        not find_preset(weights) or any(Path(weights).rglob("saved_model.pb"))
    )
    if not is_export:
        check_weights_exist(weights)
    else:
        newest_export(weights)  # raises if there is none
        if changes := given(ModelConfig, values):
            raise MimError(f"{weights}: an export is complete. Leave out --{', --'.join(changes)}.")
    is_grid = has_coordinates(values.input)
    if not is_grid and (others := [name for name in _OF_GRID if name in given(DataConfig, values)]):
        expected = "an --input with coordinates (NetCDF, Zarr, GRIB)"
        raise MimError(f"--{others[0]}: expected {expected}, got {values.input}.")
    paths, many = ([Path(values.input)], False) if is_grid else list_inputs(values.input)
    if TIME in values.output and not is_grid:
        raise MimError(f"Expected an --input with coordinates for {values.output}. Give a name.")
    outputs = name_outputs(paths, many, values.output, values.format, values.overwrite)
    import_keras(values.network_module)
    from mim_tf.prediction.forecasters import from_export, from_weights, predict_files
    from mim_tf.prediction.matching import matching

    if is_export:
        predictor = from_export(weights, horizon)
    else:
        predictor = from_weights(load_network(values, weights), horizon)
    context, interval = values.context, values.frame_interval
    if is_grid:
        grid = DataConfig("grid", **{name: getattr(values, name) for name in _OF_GRID})
        opened, predictor = open_grid_input(
            values.input, predictor, weights, grid, context, interval
        )
        inputs = [opened]
        outputs = [outputs[0].named(opened.origin)]
    else:
        warn_of_interval(weights, data_of_run(weights, required=False), interval)
        shape, scale = predictor.frame_shape, predictor.config.scale
        settings = shape, values.resize, context, scale, interval or 1
        inputs = [open_input(path, *settings) for path in paths]
        for each in inputs:
            warn_of_step(predictor.config.frame_step, step_of(each.recordings, each.interval))
    if values.probability_matching:
        forecast = matching(predictor.forecast, predictor.config)
        predictor = dataclasses.replace(predictor, forecast=forecast)
    predict_files(predictor, inputs, outputs, values.batch_size)
    origin = inputs[0].origin
    apart = f", {step_in_words(*origin.step)} apart" if origin and origin.step[0] else ""
    place = values.output if many else outputs[0].path
    print(f"inputs: {len(paths)}, frames predicted: {predictor.horizon}{apart}, in {place}")


PREDICT = Command(
    __doc__,
    main,
    Flags,
    configs=(ModelConfig,),
    fields={DataConfig: _OF_GRID},
    basics=tuple(field.name for field in dataclasses.fields(Flags)),
    required=("pretrained_model", "input", "output"),
)
