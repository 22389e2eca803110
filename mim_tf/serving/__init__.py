"""Trained models as SavedModels for TensorFlow Serving, and requests to such a server."""

from mim_tf.serving.client import (
    grpc_request,
    rest_columns,
    rest_rows,
    states_in,
    to_arrays,
)
from mim_tf.serving.endpoints import Endpoints
from mim_tf.serving.saved_model import write_saved_model

__all__ = [
    "Endpoints",
    "grpc_request",
    "rest_columns",
    "rest_rows",
    "states_in",
    "to_arrays",
    "write_saved_model",
]
