"""Predicts the frames that follow those of files.

mim predict --pretrained_model=FILE.h5 --input=FRAMES --output=OUT --horizon=N
"""

import os
from pathlib import Path

from absl import flags

from mim_tf.cli.command import Command, define_network_flag, import_keras
from mim_tf.cli.configs import model_config
from mim_tf.cli.flags import define_fields, given
from mim_tf.config import DataConfig, ModelConfig
from mim_tf.errors import MimError

_OF_GRID = ("variables", "region", "coarsen")


def main(values: flags.FlagValues) -> None:
    """Wires flags, a predictor and files."""
    from mim_tf.jobs.predict import predict_files
    from mim_tf.prediction.inputs import has_coordinates, list_inputs, open_grid_input, open_input
    from mim_tf.prediction.outputs import name_outputs
    from mim_tf.values.step import step_in_words

    # A wrong path is reported before Keras is imported, which takes seconds.
    is_grid = has_coordinates(values.input)
    paths, many = ([Path(values.input)], False) if is_grid else list_inputs(values.input)
    outputs = name_outputs(paths, many, values.output, values.format)
    import_keras(values.network_module)
    predictor = _open_predictor(values)
    context, interval = values.context, values.frame_interval
    if is_grid:
        part = DataConfig(dataset="grid", **given(DataConfig, values, only=_OF_GRID))
        weights = values.pretrained_model
        inputs = [open_grid_input(values.input, predictor, weights, part, context, interval)]
    else:
        shape, scale = predictor.frame_shape, predictor.config.scale
        inputs = [
            open_input(path, shape, values.resize, context, scale, interval or 1) for path in paths
        ]
    predict_files(predictor, inputs, outputs, values.batch_size)
    origin = inputs[0].origin
    apart = f", {step_in_words(*origin.step)} apart" if origin and origin.step[0] else ""
    print(f"inputs: {len(paths)}, frames predicted: {predictor.horizon}{apart}, in {values.output}")


def _open_predictor(values):
    from mim_tf.models import build_model
    from mim_tf.prediction.forecasters import from_export, from_weights
    from mim_tf.weights import load_weights

    path, horizon = values.pretrained_model, values.horizon
    if os.path.isdir(path):
        changes = given(ModelConfig, values)
        if changes:
            raise MimError(
                f"{path}: an export is complete; leave out {', '.join(f'--{n}' for n in changes)}."
            )
        return from_export(path, horizon)
    model = build_model(model_config(values, path))
    load_weights(model, path)
    return from_weights(model, horizon or model.config.horizon)


def define_flags(values: flags.FlagValues) -> None:
    """Defines the flags of `mim predict` alone."""
    define = {"flag_values": values}
    flags.DEFINE_string(
        "pretrained_model",
        None,
        "Weights of any kind, a name of mim presets, or a folder made by mim export.",
        **define,
    )
    flags.DEFINE_string(
        "input",
        None,
        "Frames to predict from: a .npy file ([T, H, W], [T, H, W, C] or [N, T, H, W, C], uint8, "
        "or float in [0, 1], or in the unit the model was trained in), a folder of images, a video "
        "or GIF; or a folder of these; or NetCDF, Zarr or GRIB, whose last fields are used.",
        **define,
    )
    flags.DEFINE_string(
        "output",
        None,
        "What to make: NAME.npy, NAME.gif, NAME.mp4, a name without suffix for a folder of images; "
        "of an input with coordinates also NAME.nc or NAME.zarr; of a folder of inputs, a folder "
        "with a result for each. Nothing is replaced.",
        **define,
    )
    for name, help in (
        ("horizon", "Frames to predict; by default as many as the model was trained for."),
        ("context", "Use only this many frames, the last of each input; by default all of them."),
        (
            "frame_interval",
            "Use every Nth frame, counted from the last; by default all, or of an input with "
            "coordinates those as far apart as in training, where the weights say it.",
        ),
    ):
        flags.DEFINE_integer(name, None, help, lower_bound=1, **define)
    define_fields(DataConfig, _OF_GRID, values)
    flags.DEFINE_integer("batch_size", 8, "Sequences at a time.", lower_bound=1, **define)
    flags.DEFINE_boolean(
        "resize", False, "Resize frames to the height and width of the model.", **define
    )
    flags.DEFINE_enum(
        "format",
        None,
        ["npy", "gif", "mp4", "images", "nc", "zarr"],
        "What to make of each of many inputs; by default npy.",
        **define,
    )
    define_network_flag(values)


COMMAND = Command(
    __doc__,
    main,
    define_flags,
    configs=(ModelConfig,),
    required=("pretrained_model", "input", "output"),
)
