"""Write a network as one file, for ONNX Runtime or LiteRT."""

import importlib.util
import warnings
from pathlib import Path

import keras

from mim_tf.errors import MimError
from mim_tf.layers.motion import without_branches
from mim_tf.models import VideoPredictor
from mim_tf.serving import SUFFIXES
from mim_tf.serving.endpoints import Endpoints
from mim_tf.storage.paths import check_free, written_whole


def write_file(model: VideoPredictor, path, format: str, horizon: int = 0) -> Path:
    """Write what the endpoint `predict` does as one file; return `path`.

    The input is `frames` `[B, T, H, W, C]`, float32, the output `predictions`
    `[B, horizon, H, W, C]`, both on the network's scale, in [0, 1] if that is clipped. B and T
    are any in an ONNX file; in a LiteRT file B is 1 and T the network's `input_length`. The
    predictions of a sequence with a wrong value are NaN, because these formats have no errors.

    The network has precision float32 and the TensorFlow backend; a horizon of 0 is the network's.
    Raises `MimError` if an argument does not fit, `path` exists or cannot be written, or tf2onnx,
    which ONNX needs, is not installed. Nothing is written then.
    """
    path, config = Path(path), model.config
    if format not in SUFFIXES:
        raise MimError(f"Expected a --format of {' or '.join(SUFFIXES)}, got {format!r}.")
    if path.suffix != SUFFIXES[format]:
        raise MimError(f"Expected an --output that ends in {SUFFIXES[format]}, got {path}.")
    check_free(path, "name")
    if config.precision != "float32":
        raise MimError(f"{format} needs float32, got {config.precision}. Add --precision=float32.")
    if format == "onnx" and importlib.util.find_spec("tf2onnx") is None:
        raise MimError('ONNX files need tf2onnx. Run `pip install "mim_tf[onnx]"`.')
    endpoints = Endpoints(model, horizon, freeze=True)
    any_or_one = (None, None) if format == "onnx" else (1, config.input_length)
    frames = keras.InputSpec("float32", (*any_or_one, *config.frame_shape), name="frames")
    with (
        written_whole(path, path.suffix, "name") as part,
        warnings.catch_warnings(),
        without_branches(),
    ):
        # NumPy warns about a name that Keras uses.
        warnings.simplefilter("ignore", FutureWarning)
        _Forecast(endpoints).export(part, format=format, verbose=False, input_signature=[frames])
    return path


class _Forecast(keras.Model):
    """Forecast as a model, which Keras can export, with names for input and output."""

    def __init__(self, endpoints):
        # TensorFlow rejects names that begin with an underscore, as the name of this class does.
        super().__init__(name="forecast")
        self.endpoints = endpoints
        self.built = True

    def call(self, frames):
        return {"predictions": self.endpoints.forecast_or_nan(frames)}
