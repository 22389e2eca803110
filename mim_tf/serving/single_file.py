"""Writes a model as one file, for ONNX Runtime or LiteRT."""

import importlib.util
import warnings
from pathlib import Path

import keras

from mim_tf.errors import MimError
from mim_tf.models import VideoPredictor
from mim_tf.serving.endpoints import Endpoints
from mim_tf.storage.paths import check_free, written_whole

SUFFIXES = {"onnx": ".onnx", "litert": ".tflite"}


def write_file(model: VideoPredictor, path, format: str, horizon: int = 0) -> Path:
    """Writes what the endpoint `predict` does, without its checks, as one file.

    Its input is `frames` `[B, T, H, W, C]`, float32, its output `predictions`
    `[B, horizon, H, W, C]`, both on the model's scale, in [0, 1] where that is clipped. B and T
    are any in an ONNX file; in a LiteRT file B is 1 and T the model's `input_length`.

    Args:
        model: of precision float32; with the TensorFlow backend.
        path: of the file, its name ending in `.onnx` or `.tflite`.
        format: onnx, which needs tf2onnx, or litert.
        horizon: frames to predict; 0: the model's horizon.

    Returns:
        `path`.

    Raises:
        MimError: if an argument does not fit, `path` exists already or cannot be written, or
            tf2onnx is not installed. Nothing is written then.
    """
    path = Path(path)
    _check(model.config, path, format)
    endpoints = Endpoints(model, horizon, freeze=True)
    any_or_one = (None, None) if format == "onnx" else (1, model.config.input_length)
    frames = keras.InputSpec("float32", (*any_or_one, *model.config.frame_shape), name="frames")
    with written_whole(path, path.suffix, "name") as part, warnings.catch_warnings():
        # Of NumPy, about how Keras asks for one of its names.
        warnings.simplefilter("ignore", FutureWarning)
        _Forecast(endpoints).export(part, format=format, verbose=False, input_signature=[frames])
    return path


class _Forecast(keras.Model):
    """What Keras can export: a model with the names of input and output."""

    def __init__(self, endpoints):
        # A name of a class with an underscore is none for TensorFlow.
        super().__init__(name="forecast")
        self.endpoints = endpoints
        self.built = True

    def call(self, frames):
        return {"predictions": self.endpoints.forecast(frames)}


def _check(config, path, format):
    if format not in SUFFIXES:
        raise MimError(f"format must be {' or '.join(SUFFIXES)}, received {format!r}.")
    if path.suffix != SUFFIXES[format]:
        raise MimError(f"The output needs a name that ends in {SUFFIXES[format]}, received {path}.")
    check_free(path, "name")
    if config.precision != "float32":
        raise MimError(
            f"{format} files compute in float32, received a model of precision "
            f"{config.precision}. Add --precision=float32."
        )
    if format == "onnx" and importlib.util.find_spec("tf2onnx") is None:
        raise MimError('ONNX files need tf2onnx: pip install "mim_tf[onnx]".')
