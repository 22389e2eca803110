"""Converts checkpoints of the 2019 code; `python -m mim_tf.cli.convert --help` lists the flags."""

import dataclasses
import math
from pathlib import Path

import numpy as np
from absl import app, flags

from mim_tf.cli.command import command
from mim_tf.errors import MimError
from mim_tf.models import VideoPredictor, build_model
from mim_tf.new_path import check_free
from mim_tf.weights.files import load_weights, save_weights
from mim_tf.weights.tf1_architecture import infer_config
from mim_tf.weights.tf1_checkpoint import weight_shapes
from mim_tf.weights.tf1_load import load_tf1
from mim_tf.weights.tf1_names import tf1_variables

FLAGS = flags.FLAGS
HINTS = {
    "patch_size": "Side of the patches; this or --img_channel, unless there is only one choice.",
    "img_channel": "Channels of a frame.",
    "img_width": "Width of a frame in pixels; only where the network has no peepholes.",
    "img_height": "Height of a frame in pixels, where it is not the width.",
    "input_length": "Context length to store in the file.",
    "total_length": "Context and horizon to store in the file.",
}
"""Fields of `ModelConfig` a checkpoint does not tell, or not always."""


def convert(checkpoint, output, use_ema: bool = False, **hints) -> VideoPredictor:
    """Writes the weights of a TensorFlow 1 checkpoint as a weights file of mim_tf.

    Args:
        checkpoint: its prefix, such as `model.ckpt-80000`, or one of its files.
        output: file to make, its name ending in `.h5`.
        use_ema: take the exponential moving averages of the weights.
        **hints: those of `HINTS` that are known.

    Returns:
        The model, with the weights.

    Raises:
        MimError: if `output` exists already, the checkpoint cannot be read, its architecture needs
            another hint, or names are left over on either side. Nothing is written then.
    """
    output = Path(output)
    if output.suffix != ".h5":
        raise MimError(f"The output needs a name that ends in .h5, received {output}.")
    check_free(output, "name")
    config = infer_config(weight_shapes(checkpoint), **hints)
    model = build_model(dataclasses.replace(config, **hints))
    load_tf1(model, checkpoint, use_ema)
    try:
        save_weights(model, output)
    except OSError as error:
        raise MimError(f"{output} cannot be written: {error}. Choose another place.") from None
    return model


def summary(model: VideoPredictor, hints) -> str:
    """What was converted, in words; `hints` has the names of the fields that were given."""
    config = model.config
    height, width, channels = config.frame_shape
    count = sum(math.prod(variable.shape) for variable in model.trainable_variables)
    lines = [
        f"{config.model_name}: {len(config.num_hidden)} layers of {config.num_hidden[0]} channels, "
        f"{config.filter_size}x{config.filter_size} convolutions, "
        f"{'with' if config.layer_norm else 'without'} layer norm, {count:,} weights",
        f"frames: {height} x {width} x {channels} (H x W x C) in patches of {config.patch_size}",
    ]
    for name in ("input_length", "total_length"):
        source = "given" if name in hints else "default: a checkpoint does not tell"
        lines.append(f"{name}: {getattr(config, name)} ({source})")
    return "\n".join(lines)


def table(model) -> str:
    """A line for each weight: name in the 2019 graph, path in `model`, shape and mean."""
    return "\n".join(
        f"{name} -> {variable.path} {list(variable.shape)} mean {np.mean(variable):.6g}"
        for name, variable in tf1_variables(model).items()
    )


@command
def main():
    hints = {name: FLAGS[name].value for name in HINTS if FLAGS[name].value is not None}
    model = convert(FLAGS.checkpoint, FLAGS.output, FLAGS.use_ema, **hints)
    if FLAGS.verify:
        load_weights(model, FLAGS.output)
        print(table(model))
    print(summary(model, hints))
    print(f"{'averages of the weights' if FLAGS.use_ema else 'weights'} in {FLAGS.output}")


def define_flags(values: flags.FlagValues = FLAGS) -> None:
    """Defines the flags of this program."""
    flags.DEFINE_string(
        "checkpoint",
        None,
        "Prefix of the checkpoint, such as model.ckpt-80000.",
        required=True,
        flag_values=values,
    )
    flags.DEFINE_string("output", None, "File to make, FILE.h5.", required=True, flag_values=values)
    flags.DEFINE_boolean(
        "use_ema", False, "Take the moving averages of the weights.", flag_values=values
    )
    flags.DEFINE_boolean(
        "verify",
        False,
        "Read the file again and print shape and mean of each weight.",
        flag_values=values,
    )
    for name, help in HINTS.items():
        flags.DEFINE_integer(name, None, help, flag_values=values)


if __name__ == "__main__":
    define_flags()
    app.run(main)
