"""Requests to TensorFlow Serving and its replies, for REST and gRPC.

Nothing is sent: use the HTTP or gRPC client of your choice. Endpoints and their inputs are those
of `mim_tf.serving.Endpoints`. Inputs are arrays, numbers or nested lists; pictures are bytes.
Masked values are sent as NaN, which is missing for `predict_physical` and refused by others.
"""

import base64
import importlib

import numpy as np

from mim_tf.errors import MimError


def rest_columns(inputs: dict, endpoint: str = "predict") -> dict:
    """Return the body, for JSON, of a POST to `/v1/models/NAME:predict`, each input as a whole.

    `inputs` are values by name, `endpoint` is the name of the signature.
    """
    columns = {name: _to_json(value) for name, value in inputs.items()}
    return {"signature_name": endpoint, "inputs": columns}


def rest_rows(inputs: dict, endpoint: str = "predict") -> dict:
    """Return a body as `rest_columns`, with a list of sequences, each with all its inputs.

    Raises `MimError` if an input is a number (`start` needs `rest_columns`), or lengths differ.
    """
    columns = rest_columns(inputs)["inputs"]
    sizes = {name: len(v) if isinstance(v, list) else "a number" for name, v in columns.items()}
    if len(set(sizes.values())) != 1 or "a number" in sizes.values():
        raise MimError(
            f"Expected inputs that are lists of one length, got {sizes}. Use rest_columns."
        )
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return {"signature_name": endpoint, "instances": rows}


def grpc_request(inputs: dict, model: str, endpoint: str = "predict", version: int | None = None):
    """Return a `PredictRequest` for `PredictionService.Predict`.

    Args:
        inputs: name -> value; floats are sent as float32.
        model: name of the model on the server.
        endpoint: name of the signature.
        version: version of the model; by default the server chooses.

    Raises `MimError` if tensorflow-serving-api is not installed.
    """
    import tensorflow as tf  # REST works without it

    request = serving_protos("predict_pb2").PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = endpoint
    if version is not None:
        request.model_spec.version.value = version
    for name, value in inputs.items():
        value = _without_mask(value)
        array = np.asarray(value)
        if array.dtype.kind == "S":  # of fixed length, in which NumPy loses zeros at the end
            value = np.asarray(value, object)
        elif array.dtype.kind == "f":
            value = array.astype(np.float32)
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return request


def to_arrays(reply) -> dict[str, np.ndarray]:
    """Return the outputs in a reply, name -> array; floats are float32, integers uint8.

    A reply is parsed JSON of rows or columns, or a `PredictResponse`. Raises `MimError` with the
    server's message if it reports an error, or if this is not a reply.
    """
    if not isinstance(reply, dict):
        import tensorflow as tf

        return {name: tf.make_ndarray(tensor) for name, tensor in reply.outputs.items()}
    if "error" in reply:
        raise MimError(f"The server reports: {reply['error']}")
    outputs = reply.get("outputs", reply.get("predictions"))
    if outputs is None:
        raise MimError(f"Expected outputs, predictions or error in a reply, got {sorted(reply)}.")
    if "outputs" not in reply and outputs and isinstance(outputs[0], dict):  # rows
        outputs = {name: [row[name] for row in outputs] for name in outputs[0]}
    if not isinstance(outputs, dict):
        # The server leaves out the name of a single output, which is always this one.
        outputs = {"predictions": outputs}
    return {name: _to_array(value) for name, value in outputs.items()}


def states_in(outputs: dict) -> dict:
    """Return the states among the outputs of `start` or `step`, for `step` or `rollout`."""
    return {name: value for name, value in outputs.items() if name != "prediction"}


def serving_protos(name: str):
    """Import the module `name` of `tensorflow_serving.apis`; raise `MimError` without it."""
    try:
        return importlib.import_module(f"tensorflow_serving.apis.{name}")
    except ImportError as error:
        raise MimError(
            f"Requests for TensorFlow Serving need tensorflow-serving-api ({error}). Run "
            '`pip install "mim_tf[serving]"`, or export with --nowarmup.'
        ) from None


def _without_mask(value):
    if isinstance(value, list | tuple):
        return [_without_mask(each) for each in value]
    return value.astype(np.float32).filled(np.nan) if np.ma.is_masked(value) else value


def _to_json(value):
    value = _without_mask(value)
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode()}
    return [_to_json(item) for item in value] if isinstance(value, list | tuple) else value


def _to_array(value):
    value = _from_json(value)
    array = np.asarray(value)
    if array.dtype.kind == "S":
        return np.asarray(value, object)
    return array.astype(np.uint8 if array.dtype.kind == "i" else np.float32)


def _from_json(value):
    if isinstance(value, dict):
        return base64.b64decode(value["b64"])
    return [_from_json(item) for item in value] if isinstance(value, list) else value
