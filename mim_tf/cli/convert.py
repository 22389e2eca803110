"""Converts a checkpoint of the 2019 code into a weights file.

mim convert --checkpoint=model.ckpt-80000 --output=mim.weights.h5 --patch_size=4
"""

from absl import flags

from mim_tf.cli.command import Command, import_keras

HINTS = {
    "patch_size": "Side of the patches; this or --img_channel, unless there is only one choice.",
    "img_channel": "Channels of a frame.",
    "img_width": "Width of a frame in pixels; only where the network has no peepholes.",
    "img_height": "Height of a frame in pixels, where it is not the width.",
    "input_length": "Context length to store in the file.",
    "total_length": "Context and horizon to store in the file.",
}
"""Fields of `ModelConfig` that a checkpoint does not tell, or not always."""


def main(values: flags.FlagValues) -> None:
    """Wires flags and `convert`."""
    import_keras()
    from mim_tf.jobs.convert import convert, summary, table
    from mim_tf.weights import load_weights

    hints = {name: values[name].value for name in HINTS if values[name].value is not None}
    model = convert(values.checkpoint, values.output, values.use_ema, **hints)
    if values.verify:
        load_weights(model, values.output)
        print(table(model))
    print(summary(model, hints))
    print(f"{'averages of the weights' if values.use_ema else 'weights'} in {values.output}")


def define_flags(values: flags.FlagValues) -> None:
    """Defines the flags of `mim convert`."""
    define = {"flag_values": values}
    flags.DEFINE_string(
        "checkpoint", None, "Prefix of the checkpoint, such as model.ckpt-80000.", **define
    )
    flags.DEFINE_string("output", None, "File to make, FILE.h5.", **define)
    flags.DEFINE_boolean("use_ema", False, "Take the moving averages of the weights.", **define)
    flags.DEFINE_boolean(
        "verify", False, "Read the file again and print shape and mean of each weight.", **define
    )
    for name, help in HINTS.items():
        flags.DEFINE_integer(name, None, help, lower_bound=1, **define)


COMMAND = Command(__doc__, main, define_flags, required=("checkpoint", "output"))
