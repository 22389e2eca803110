"""`mim export`, `mim convert` and `mim presets`: weights files to and from other forms."""

import dataclasses
import textwrap
from pathlib import Path

from absl import flags, logging

from mim_tf.cli.command import Command, NetworkFlags, import_keras
from mim_tf.cli.flags import given
from mim_tf.config import SIZE_FIELDS, ModelConfig
from mim_tf.config.fields import field
from mim_tf.errors import MimError
from mim_tf.runtime.optional import import_tensorflow
from mim_tf.serving import SUFFIXES
from mim_tf.storage.paths import check_folder, check_free, open_file
from mim_tf.weights.by_name import check_weights_exist, list_presets


@dataclasses.dataclass
class _Export(NetworkFlags):
    pretrained_model: str = field("", "Weights file of mim_tf, FILE.h5, or a name of mim presets.")
    output: str = field(
        "",
        "Folder of the served model; the next version, a numbered folder, is created in it. With "
        "another format, the file to make: NAME.onnx or NAME.tflite.",
    )
    format: str = field(
        "saved_model",
        "saved_model: for TensorFlow Serving; onnx, litert: one file, from frames to predictions.",
        choices=("saved_model", "onnx", "litert"),
    )
    horizon: int = field(0, "Frames to predict; 0: the model's horizon.", minimum=0)
    precision: str = field(
        None,
        "Precision of the convolutions; by default the model's. onnx and litert: float32.",
        choices=("float32", "bfloat16"),
    )
    img_height: int = field(None, "Height of frames, for weights that take any size.", minimum=1)
    img_width: int = field(None, "Width of frames, likewise.", minimum=1)
    freeze: bool = field(
        False,
        "Make the weights of a saved_model constants of its graph: faster for one sequence at a "
        "time, but needs a few times the memory of the weights.",
    )
    warmup: bool = field(True, "Write requests to warm up a server; needs tensorflow-serving-api.")
    metrics: str = field(None, "JSON file to put into the version's assets.")


def _export(values: flags.FlagValues) -> None:
    check_weights_exist(values.pretrained_model)
    if values.format != "saved_model":
        check_free(values.output, "--output")
    else:
        check_folder(values.output, "--output")
    formats = {suffix: name for name, suffix in SUFFIXES.items()}
    if values.format != formats.get(Path(values.output).suffix, "saved_model"):
        raise MimError(
            "Expected an --output NAME.onnx with --format=onnx, NAME.tflite with litert, and a "
            f"folder with saved_model, got {values.output} with --format={values.format}."
        )
    if values.metrics:
        open_file(values.metrics, "a file as --metrics").close()
    import_keras(values.network_module)
    logging.set_verbosity(logging.WARNING)
    names = ["output", "format", "horizon", "precision", "warmup", "metrics", "freeze"]
    names += SIZE_FIELDS
    written = export(values.pretrained_model, **{name: getattr(values, name) for name in names})
    version = f"version {written.name} of " if values.format == "saved_model" else ""
    print(f"{version}the model in {written}")


def export(
    weights,
    output,
    horizon=0,
    format="saved_model",
    metrics=None,
    warmup=True,
    freeze=False,
    **changes,
) -> Path:
    """Write the model whose weights are at `weights` for a server; arguments as the flags.

    Returns:
        The folder of the new version in `output`, or the file.
    """
    # TensorFlow logs every tensor that it renames.
    import_tensorflow("to export a model").get_logger().setLevel("WARNING")
    from mim_tf.serving import write_file, write_saved_model
    from mim_tf.weights import load_model

    model = load_model(weights, **{name: value for name, value in changes.items() if value})
    if format == "saved_model":
        return write_saved_model(model, output, horizon, warmup, metrics, freeze)
    if metrics:
        raise MimError("--metrics needs --format=saved_model: the other formats have no assets.")
    return write_file(model, output, format, horizon)


EXPORT = Command(
    "Exports weights for a server: a SavedModel, ONNX or LiteRT.\n\n"
    "mim export --pretrained_model=best.weights.h5 --output=served/mim --horizon=10",
    _export,
    _Export,
    required=("pretrained_model", "output"),
)


_HINTS = (
    *("patch_size", "img_channel", "img_width", "img_height", "input_length", "total_length"),
    "era",
)
"""Fields of `ModelConfig` that a checkpoint does not have, or not always."""

_FIELDS = ("img_channel", "img_height", "img_width", "input_length", "total_length")
_RELEASED = {
    "mmnist": (1, 64, 64, 10, 20),
    "mfmnist": (1, 64, 64, 10, 20),
    "mmnist_cifar": (3, 64, 64, 10, 20),
    "taxibj": (2, 32, 32, 4, 8),
    "kth": (1, 128, 128, 10, 30),
    "human": (3, 256, 256, 4, 8),
    "kitticaltech": (3, 128, 160, 10, 11),
    "weather": (1, 32, 64, 12, 24),
    "weather_uv10": (2, 32, 64, 12, 24),
}
"""`_FIELDS` of the weights that OpenSTL released, by its name of the data set."""


@dataclasses.dataclass
class _Convert:
    checkpoint: str = field(
        "",
        "Prefix of a TensorFlow 1 checkpoint, such as model.ckpt-80000, or a file of OpenSTL or "
        "predrnn-pytorch (.pth, .ckpt).",
    )
    data: str = field(
        None,
        "Data set of weights that OpenSTL released; gives channels, size and lengths of frames.",
        choices=tuple(_RELEASED),
    )
    output: str = field("", "File to make, FILE.h5.")
    use_ema: bool = field(False, "Use the moving averages of the weights.")
    verify: bool = field(False, "Read the file again and print shape and mean of each weight.")


def _convert(values: flags.FlagValues) -> None:
    check_free(values.output, "--output")
    check_weights_exist(values.checkpoint)
    import_keras()
    from mim_tf.jobs.convert import convert, summary, table
    from mim_tf.weights import load_weights

    hints = dict(zip(_FIELDS, _RELEASED.get(values.data, ()), strict=False))
    hints |= given(ModelConfig, values)
    model = convert(values.checkpoint, values.output, values.use_ema, **hints)
    if values.verify:
        load_weights(model, values.output)
        print(table(model))
    print(summary(model, hints))
    print(f"{'averages of the weights' if values.use_ema else 'weights'} in {values.output}")


CONVERT = Command(
    "Converts weights of the 2019 code, OpenSTL or predrnn-pytorch.\n\n"
    "mim convert --checkpoint=model.ckpt-80000 --output=mim.weights.h5 --patch_size=4\n"
    "mim convert --checkpoint=mmnist_mim.pth --output=mim.weights.h5 --data=mmnist\n\n"
    "It needs --patch_size or --img_channel, and without peepholes --img_width.",
    _convert,
    _Convert,
    fields={ModelConfig: _HINTS},
    defaults=dict.fromkeys(_HINTS),
    required=("checkpoint", "output"),
)


@dataclasses.dataclass
class _Presets:
    card: bool = field(False, "Print model cards, in Markdown.")


def _presets(values: flags.FlagValues) -> None:
    from mim_tf.jobs.presets import cards, listing

    presets = list_presets().values()
    if values.card:
        print(cards(presets))
        return
    for line in "\n".join(map(listing, presets)).splitlines():
        print(textwrap.fill(line, 80, subsequent_indent=" " * 4, break_on_hyphens=False))
    print("Any of these names can be the --pretrained_model of a command.")


PRESETS = Command(
    "Lists the trained weights that there are, by name.\n\nmim presets\n\n"
    "They come with the package; the environment variable MIM_TF_PRESETS names a\n"
    "folder of more.",
    _presets,
    _Presets,
)
