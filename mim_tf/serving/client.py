"""Requests to TensorFlow Serving and its replies, for REST and gRPC.

Nothing is sent: use the HTTP or gRPC client of your choice. Endpoints and their inputs are those
of `mim_tf.serving.Endpoints`. Inputs are arrays, numbers or nested lists; pictures are bytes.
"""

import base64
import importlib

import numpy as np

from mim_tf.errors import MimError


def rest_columns(inputs: dict, endpoint: str = "predict") -> dict:
    """The body, for JSON, of a POST to `/v1/models/NAME:predict`, each input as a whole.

    Args:
        inputs: name -> value.
        endpoint: name of the signature.
    """
    columns = {name: _to_json(value) for name, value in inputs.items()}
    return {"signature_name": endpoint, "inputs": columns}


def rest_rows(inputs: dict, endpoint: str = "predict") -> dict:
    """As `rest_columns`, with a list of sequences, each with all its inputs.

    Raises:
        MimError: if an input is a number (`start` needs `rest_columns`), or their lengths differ.
    """
    columns = {name: _to_json(value) for name, value in inputs.items()}
    sizes = {name: len(v) if isinstance(v, list) else "a number" for name, v in columns.items()}
    if len(set(sizes.values())) != 1 or "a number" in sizes.values():
        raise MimError(
            f"Rows need inputs that are lists of one length, received {sizes}. Use rest_columns."
        )
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return {"signature_name": endpoint, "instances": rows}


def grpc_request(inputs: dict, model: str, endpoint: str = "predict", version: int | None = None):
    """A `PredictRequest` for `PredictionService.Predict`.

    Args:
        inputs: name -> value; floats are sent as float32.
        model: name under which the server has the model.
        endpoint: name of the signature.
        version: of the model; by default the server chooses.

    Raises:
        MimError: if tensorflow-serving-api is not installed.
    """
    import tensorflow as tf  # Here, as REST does without.

    request = serving_protos("predict_pb2").PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = endpoint
    if version is not None:
        request.model_spec.version.value = version
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(_single(value)))
    return request


def to_arrays(reply) -> dict[str, np.ndarray]:
    """The outputs in a reply, name -> array; floats are float32, integers uint8.

    Args:
        reply: the parsed JSON of rows or columns, or a `PredictResponse`.

    Raises:
        MimError: with the server's message if it reports an error, or if this is no reply.
    """
    if not isinstance(reply, dict):
        import tensorflow as tf

        return {name: tf.make_ndarray(tensor) for name, tensor in reply.outputs.items()}
    if "error" in reply:
        raise MimError(f"The server reports: {reply['error']}")
    if "outputs" in reply:
        outputs = reply["outputs"]
    elif "predictions" in reply:
        outputs = _by_name(reply["predictions"])
    else:
        raise MimError(f"A reply has outputs, predictions or error; received {sorted(reply)}.")
    if not isinstance(outputs, dict):
        # The server leaves out the name of an only output; all of ours have this one.
        outputs = {"predictions": outputs}
    return {name: _to_array(value) for name, value in outputs.items()}


def states_in(outputs: dict) -> dict:
    """The states among the outputs of `start` or `step`, to be sent to `step` or `rollout`."""
    return {name: value for name, value in outputs.items() if name != "prediction"}


def _to_json(value):
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode()}
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
        return _to_json(value) if isinstance(value, list | bytes) else value
    if isinstance(value, list | tuple):
        return [_to_json(item) for item in value]
    return value


def _single(value):
    array = np.asarray(value)
    if array.dtype.kind == "S":
        return np.asarray(value, object)
    return array.astype(np.float32) if array.dtype.kind == "f" else value


def _by_name(rows):
    if not rows or not isinstance(rows[0], dict):
        return rows
    return {name: [row[name] for row in rows] for name in rows[0]}


def _to_array(value):
    array = np.asarray(_from_json(value))
    if array.dtype.kind == "S":
        return np.asarray(_from_json(value), object)
    return array.astype(np.uint8 if array.dtype.kind == "i" else np.float32)


def _from_json(value):
    if isinstance(value, dict):
        return base64.b64decode(value["b64"])
    return [_from_json(item) for item in value] if isinstance(value, list) else value


# MERGED: The protocol buffers of TensorFlow Serving, which not everyone has installed.


def serving_protos(name: str):
    """The module `name` of `tensorflow_serving.apis`; `MimError` if it is not installed."""
    try:
        return importlib.import_module(f"tensorflow_serving.apis.{name}")
    except ImportError as error:
        raise MimError(
            f"Requests for TensorFlow Serving need tensorflow-serving-api ({error}): "
            'pip install "mim_tf[serving]", or export with --nowarmup.'
        ) from None
