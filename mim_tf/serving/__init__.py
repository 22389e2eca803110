"""Trained networks for TensorFlow Serving, ONNX Runtime and LiteRT, and requests to a server."""

from typing import TYPE_CHECKING

from mim_tf.runtime.backend import lazy_names
from mim_tf.serving.client import grpc_request, rest_columns, rest_rows, states_in, to_arrays

if TYPE_CHECKING:
    from mim_tf.serving.endpoints import Endpoints
    from mim_tf.serving.saved_model import write_saved_model
    from mim_tf.serving.single_file import write_file

SUFFIXES = {"onnx": ".onnx", "litert": ".tflite"}
"""Formats of single files, see `write_file`."""

__all__ = [
    "Endpoints",
    "grpc_request",
    "rest_columns",
    "rest_rows",
    "states_in",
    "to_arrays",
    "write_file",
    "write_saved_model",
]

# Clients work without TensorFlow, so these modules are imported when they are first used.
__getattr__ = lazy_names(
    __name__,
    {
        "Endpoints": "mim_tf.serving.endpoints",
        "write_file": "mim_tf.serving.single_file",
        "write_saved_model": "mim_tf.serving.saved_model",
    },
)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
