"""Trained models for TensorFlow Serving, ONNX Runtime and LiteRT; requests to such a server."""

import importlib
from typing import TYPE_CHECKING

from mim_tf.serving.client import (
    grpc_request,
    rest_columns,
    rest_rows,
    states_in,
    to_arrays,
)

if TYPE_CHECKING:
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

# Clients do without it.
_NEED_TENSORFLOW = {
    "Endpoints": "mim_tf.serving.endpoints",
    "write_file": "mim_tf.serving.single_file",
    "write_saved_model": "mim_tf.serving.saved_model",
}


def __getattr__(name: str) -> object:
    """What needs TensorFlow, at its first use."""
    if name not in _NEED_TENSORFLOW:
        raise AttributeError(f"module 'mim_tf.serving' has no attribute {name!r}")
    return getattr(importlib.import_module(_NEED_TENSORFLOW[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
