"""Exports a model for TensorFlow Serving; `python -m mim_tf.export --help` lists the flags."""

from pathlib import Path

from absl import app, flags, logging

from mim_tf.command import command
from mim_tf.optional import import_tensorflow
from mim_tf.weights import load_model

FLAGS = flags.FLAGS


def export(weights, output, horizon: int = 0, warmup: bool = True, metrics=None) -> Path:
    """Writes the model whose weights are at `weights` for TensorFlow Serving.

    Args:
        weights: a weights file of mim_tf.
        output, horizon, warmup, metrics: as for `write_saved_model`.

    Returns:
        The folder of the new version in `output`.

    Raises:
        MimError: as for `load_model` and `write_saved_model`, or TensorFlow is not installed.
    """
    import_tensorflow("to export a model")
    from mim_tf.serving import write_saved_model

    return write_saved_model(load_model(weights), output, horizon, warmup, metrics)


@command
def main():
    # TensorFlow tells of every tensor it names anew.
    logging.set_verbosity(logging.WARNING)
    import_tensorflow("to export a model").get_logger().setLevel("WARNING")
    version = export(
        FLAGS.pretrained_model, FLAGS.output, FLAGS.horizon, FLAGS.warmup, FLAGS.metrics
    )
    print(f"version {version.name} of the model in {version}")


def define_flags(values: flags.FlagValues = FLAGS) -> None:
    """Defines the flags of this program."""
    define = {"flag_values": values}
    flags.DEFINE_string(
        "pretrained_model", None, "Weights file of mim_tf, FILE.h5.", required=True, **define
    )
    flags.DEFINE_string(
        "output",
        None,
        "Folder of the served model; the next version, a numbered folder, is made in it.",
        required=True,
        **define,
    )
    flags.DEFINE_integer("horizon", 0, "Frames to predict; 0: the model's horizon.", **define)
    flags.DEFINE_boolean(
        "warmup",
        True,
        "Write requests with which a server warms up; needs tensorflow-serving-api.",
        **define,
    )
    flags.DEFINE_string("metrics", None, "JSON file to put into the version's assets.", **define)


if __name__ == "__main__":
    define_flags()
    app.run(main)
