"""Predicts the frames that follow those of files.

python -m mim_tf.predict --pretrained_model=FILE.h5 --input=FRAMES --output=OUT --horizon=N
"""

from pathlib import Path

from absl import app
from absl import flags as absl_flags

from mim_tf.cli import flags
from mim_tf.cli.command import command
from mim_tf.config import ModelConfig
from mim_tf.errors import MimError
from mim_tf.models import build_model
from mim_tf.prediction.export import FromExport
from mim_tf.prediction.files import predict_files
from mim_tf.prediction.inputs import list_inputs, open_input
from mim_tf.prediction.outputs import FORMS, name_outputs
from mim_tf.prediction.weights import FromWeights
from mim_tf.weights import load_weights

FLAGS = flags.FLAGS


@command
def main():
    for name in ("horizon", "context", "batch_size"):
        if FLAGS[name].value is not None and FLAGS[name].value < 1:
            raise MimError(f"{name} must be at least 1, received {FLAGS[name].value}.")
    paths, many = list_inputs(FLAGS.input)
    outputs = name_outputs(paths, many, FLAGS.output, FLAGS.format)
    predictor = _open_predictor()
    inputs = [
        open_input(path, predictor.frame_shape, FLAGS.resize, FLAGS.context) for path in paths
    ]
    predict_files(predictor, inputs, outputs, FLAGS.batch_size)
    print(f"inputs: {len(paths)}, frames predicted: {predictor.horizon}, in {FLAGS.output}")


def _open_predictor():
    path, horizon = FLAGS.pretrained_model, FLAGS.horizon
    if Path(path).is_dir():
        given = flags.given(ModelConfig)
        if given:
            raise MimError(
                f"{path}: an export is complete; leave out {', '.join(f'--{n}' for n in given)}."
            )
        return FromExport(path, horizon)
    model = build_model(flags.model_config())
    load_weights(model, path)
    return FromWeights(model, horizon or model.config.horizon)


def define_flags(values=FLAGS):
    """Defines the flags of this program."""
    for name, help in (
        (
            "pretrained_model",
            "Weights of any kind, or a folder made by python -m mim_tf.cli.export.",
        ),
        (
            "input",
            "Frames to predict from: a .npy file ([T, H, W], [T, H, W, C] or [N, T, H, W, C], "
            "uint8 or float in [0, 1]), a folder of images, a video or GIF; or a folder of these.",
        ),
        (
            "output",
            "What to make: NAME.npy, NAME.gif, NAME.mp4, or a name without suffix for a folder of "
            "images; of a folder of inputs, a folder with a result for each. Nothing is replaced.",
        ),
    ):
        absl_flags.DEFINE_string(name, None, help, required=True, flag_values=values)
    for name, help in (
        ("horizon", "Frames to predict; by default as many as the model was trained for."),
        ("context", "Use the last so many frames of each input; by default all of them."),
    ):
        absl_flags.DEFINE_integer(name, None, help, flag_values=values)
    absl_flags.DEFINE_integer("batch_size", 8, "Sequences at a time.", flag_values=values)
    absl_flags.DEFINE_boolean(
        "resize", False, "Resize frames to the height and width of the model.", flag_values=values
    )
    absl_flags.DEFINE_enum(
        "format",
        None,
        list(FORMS),
        "What to make of each of many inputs; by default npy.",
        flag_values=values,
    )
    flags.define_config_flags(ModelConfig, values=values)


if __name__ == "__main__":
    define_flags()
    app.run(main)
