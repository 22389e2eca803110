"""The protocol buffers of TensorFlow Serving, which not everyone has installed."""

import importlib

from mim_tf.errors import MimError


def serving_protos(name: str):
    """The module `name` of `tensorflow_serving.apis`; `MimError` if it is not installed."""
    try:
        return importlib.import_module(f"tensorflow_serving.apis.{name}")
    except ImportError as error:
        raise MimError(
            f"Requests for TensorFlow Serving need tensorflow-serving-api ({error}): "
            'pip install "mim_tf[serving]", or export with --nowarmup.'
        ) from None
