"""From a TensorFlow 1 checkpoint into a model."""

from os import PathLike

from mim_tf.errors import MimError
from mim_tf.models import VideoPredictor
from mim_tf.weights.architecture import check_finite, check_settings, first_difference
from mim_tf.weights.tf1_architecture import infer_config
from mim_tf.weights.tf1_checkpoint import read_weights
from mim_tf.weights.tf1_names import assign_tf1_weights, tf1_variables


def load_tf1(model: VideoPredictor, path: str | PathLike, use_ema: bool = False) -> None:
    """Gives `model` the weights of a checkpoint of the 2019 code.

    Args:
        model: a `VideoPredictor`; on an error it is as it was.
        path: prefix of the checkpoint, or one of its files.
        use_ema: load the exponential moving averages of the weights.

    Raises:
        MimError: if names are left over on either side, all of them listed; if the checkpoint
            belongs to another architecture, is damaged, or has a weight that is not finite.
    """
    weights = read_weights(path, use_ema)
    shapes = {name: values.shape for name, values in weights.items()}
    variables = tf1_variables(model)
    difference = first_difference(
        {variables[n].path if n in variables else n: shape for n, shape in shapes.items()},
        {variable.path: tuple(variable.shape) for variable in variables.values()},
    )
    stored = infer_config(shapes, **vars(model.config))
    check_settings(path, stored, model.config, difference)
    check_finite(path, weights)
    try:
        assign_tf1_weights(model, weights)
    except MimError as error:
        raise MimError(f"{path}: {error}") from None
