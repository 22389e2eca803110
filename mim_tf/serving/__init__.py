"""Trained models for TensorFlow Serving, ONNX Runtime and LiteRT; requests to such a server."""

from mim_tf.serving.client import (
    grpc_request,
    rest_columns,
    rest_rows,
    states_in,
    to_arrays,
)
from mim_tf.serving.endpoints import Endpoints
from mim_tf.serving.saved_model import write_saved_model
from mim_tf.serving.single_file import write_file

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
