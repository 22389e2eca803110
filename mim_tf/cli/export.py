"""Exports weights for a server: a SavedModel, ONNX or LiteRT.

mim export --pretrained_model=best.weights.h5 --output=served/mim --horizon=10
"""

from pathlib import Path

from absl import flags, logging

from mim_tf.cli.command import Command, define_network_flag, import_keras
from mim_tf.errors import MimError
from mim_tf.runtime.optional import import_tensorflow


def main(values: flags.FlagValues) -> None:
    """Wires flags and `export`."""
    import_keras(values.network_module)
    # TensorFlow tells of every tensor it names anew.
    logging.set_verbosity(logging.WARNING)
    import_tensorflow("to export a model").get_logger().setLevel("WARNING")
    names = ["output", "format", "horizon", "precision", "warmup", "metrics", "freeze"]
    written = export(values.pretrained_model, **{name: values[name].value for name in names})
    if values.format == "saved_model":
        print(f"version {written.name} of the model in {written}")
    else:
        print(f"the model in {written}")


def export(
    weights,
    output,
    horizon: int = 0,
    format: str = "saved_model",
    precision: str | None = None,
    **settings,
) -> Path:
    """Writes the model whose weights are at `weights` for a server.

    Args:
        weights: a weights file of mim_tf, or the name of a preset.
        output, horizon: as for `write_saved_model` or `write_file`.
        format: saved_model, onnx or litert.
        precision: of the convolutions; by default the model's.
        **settings: for `write_saved_model`; a file of another format has no use for them.

    Returns:
        The folder of the new version in `output`, or the file.

    Raises:
        MimError: as for `load_model`, `write_saved_model` and `write_file`, or TensorFlow is not
            installed.
    """
    import_tensorflow("to export a model")
    from mim_tf.serving import write_file, write_saved_model
    from mim_tf.weights import load_model

    if settings.get("metrics") and format != "saved_model":
        raise MimError("--metrics needs --format=saved_model: the other formats have no assets.")
    model = load_model(weights, **({"precision": precision} if precision else {}))
    if format == "saved_model":
        return write_saved_model(model, output, horizon, **settings)
    return write_file(model, output, format, horizon)


def define_flags(values: flags.FlagValues) -> None:
    """Defines the flags of `mim export`."""
    define = {"flag_values": values}
    flags.DEFINE_string(
        "pretrained_model",
        None,
        "Weights file of mim_tf, FILE.h5, or a name of mim presets.",
        **define,
    )
    flags.DEFINE_string(
        "output",
        None,
        "Folder of the served model; the next version, a numbered folder, is made in it. With "
        "another format, the file to make: NAME.onnx or NAME.tflite.",
        **define,
    )
    flags.DEFINE_enum(
        "format",
        "saved_model",
        ["saved_model", "onnx", "litert"],
        "saved_model: for TensorFlow Serving; onnx, litert: one file, from frames to predictions.",
        **define,
    )
    flags.DEFINE_integer(
        "horizon", 0, "Frames to predict; 0: the model's horizon.", lower_bound=0, **define
    )
    flags.DEFINE_enum(
        "precision",
        None,
        ["float32", "bfloat16"],
        "Precision of the convolutions; by default the model's. onnx and litert: float32.",
        **define,
    )
    flags.DEFINE_boolean(
        "freeze",
        False,
        "Make the weights of a saved_model constants of its graph: faster for one sequence at a "
        "time, but needs more memory, a few times the size of the weights.",
        **define,
    )
    flags.DEFINE_boolean(
        "warmup",
        True,
        "Write requests with which a server warms up; needs tensorflow-serving-api.",
        **define,
    )
    flags.DEFINE_string("metrics", None, "JSON file to put into the version's assets.", **define)
    define_network_flag(values)


COMMAND = Command(__doc__, main, define_flags, required=("pretrained_model", "output"))
