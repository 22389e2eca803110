"""Trained networks for TensorFlow Serving, ONNX Runtime and LiteRT, and requests to a server."""

import importlib
from typing import TYPE_CHECKING

from mim_tf.serving.client import grpc_request, rest_columns, rest_rows, states_in, to_arrays

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

# Clients work without TensorFlow, so these modules are imported at their first use.
_NEED_TENSORFLOW = {
    "Endpoints": "endpoints",
    "write_file": "single_file",
    "write_saved_model": "saved_model",
}


def __getattr__(name: str) -> object:
    """Import what needs TensorFlow."""
    if name not in _NEED_TENSORFLOW:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_NEED_TENSORFLOW[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
