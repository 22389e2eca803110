"""Requests to a server and its replies."""

import base64
import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

from mim_tf.errors import MimError
from mim_tf.serving import grpc_request, rest_columns, rest_rows, states_in, to_arrays
from mim_tf.serving.client import _without_mask

LEVELS = np.arange(6, dtype=np.uint8).reshape(2, 3)
STRINGS = [[b"\xff\x00", b"b", b"c"], [b"d", b"e", b"f\x00"]]
ENCODED = [[{"b64": base64.b64encode(item).decode()} for item in row] for row in STRINGS]


def test_rest_needs_no_tensorflow():
    lines = [
        "import sys",
        "sys.modules['tensorflow'] = None",  # makes its import fail
        "import mim_tf",
        "mim_tf.serving.to_arrays(mim_tf.serving.rest_columns({'frames': [1]}) | {'outputs': 2})",
        "assert 'keras' not in sys.modules",
    ]
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True)


def test_columns_and_rows_for_rest():
    body = rest_columns({"frames": LEVELS / np.float32(4), "batch_size": np.int32(2)}, "step")
    assert json.loads(json.dumps(body)) == {
        "signature_name": "step",
        "inputs": {"frames": [[0, 0.25, 0.5], [0.75, 1, 1.25]], "batch_size": 2},
    }
    body = rest_rows({"frame": LEVELS, "h1": [[1.5], [2.5]]}, "step")
    assert json.loads(json.dumps(body)) == {
        "signature_name": "step",
        "instances": [{"frame": [0, 1, 2], "h1": [1.5]}, {"frame": [3, 4, 5], "h1": [2.5]}],
    }


@pytest.mark.parametrize("strings", [STRINGS, np.array(STRINGS, object)])
def test_pictures_are_base64(strings):
    assert rest_columns({"frames": strings})["inputs"] == {"frames": ENCODED}
    assert rest_rows({"frames": strings})["instances"] == [{"frames": row} for row in ENCODED]
    assert rest_columns({"frame": np.bytes_(b"b")})["inputs"] == {"frame": ENCODED[0][1]}


@pytest.mark.parametrize("inputs", [{"batch_size": 2}, {"frame": LEVELS, "h1": [1.0]}, {}])
def test_rows_of_unequal_inputs(inputs):
    with pytest.raises(MimError, match="rest_columns"):
        rest_rows(inputs)


def sent(request):
    """Return what a server reads from the bytes of a request."""
    request = PredictRequest.FromString(request.SerializeToString())
    inputs = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
    return request.model_spec, inputs


def test_requests_for_grpc():
    values = {"frame": LEVELS, "h1": LEVELS / 4, "batch_size": 2}
    spec, inputs = sent(grpc_request(values, "mim", "step", 7))
    assert (spec.name, spec.signature_name, spec.version.value) == ("mim", "step", 7)
    for name, dtype in {"frame": np.uint8, "h1": np.float32, "batch_size": np.int32}.items():
        assert inputs[name].dtype == dtype
        np.testing.assert_array_equal(inputs[name], values[name])
    spec, inputs = sent(grpc_request({"frames": STRINGS}, "mim"))
    assert spec.signature_name == "predict"
    assert not spec.HasField("version")
    assert inputs["frames"].tolist() == STRINGS


@pytest.mark.parametrize("dtype", [np.float64, np.int16])
def test_masked_values_are_missing(dtype):
    frames = np.ma.masked_less(np.array([[1, -999]], dtype), 0)  # as netCDF4 reads
    _, inputs = sent(grpc_request({"frames": frames}, "mim", "predict_physical"))
    np.testing.assert_array_equal(inputs["frames"], np.float32([[1, np.nan]]))
    body = rest_columns({"frames": frames}, "predict_physical")
    np.testing.assert_array_equal(body["inputs"]["frames"], [[1, np.nan]])


def columns():
    return {"outputs": {"predictions": LEVELS.tolist(), "png_bytes": ENCODED}}


def rows():
    pairs = zip(LEVELS.tolist(), ENCODED, strict=True)
    return {"predictions": [{"predictions": frames, "png_bytes": png} for frames, png in pairs]}


def grpc():
    reply = PredictResponse()
    reply.outputs["predictions"].CopyFrom(tf.make_tensor_proto(LEVELS))
    reply.outputs["png_bytes"].CopyFrom(tf.make_tensor_proto(np.array(STRINGS, object)))
    return reply


@pytest.mark.parametrize("reply", [columns, rows, grpc])
def test_replies_as_arrays(reply):
    outputs = to_arrays(reply())
    assert set(outputs) == {"predictions", "png_bytes"}
    np.testing.assert_array_equal(outputs["predictions"], LEVELS)
    assert outputs["predictions"].dtype == np.uint8
    assert outputs["png_bytes"].tolist() == STRINGS


@pytest.mark.parametrize("key", ["outputs", "predictions"])
def test_a_server_does_not_name_a_single_output(key):
    outputs = to_arrays({key: [[0.25, 0.5]]})
    assert list(outputs) == ["predictions"]
    assert outputs["predictions"].dtype == np.float32
    np.testing.assert_array_equal(outputs["predictions"], [[0.25, 0.5]])


@pytest.mark.parametrize(("reply", "words"), [({"error": "too empty"}, "too empty"), ({}, r"\[\]")])
def test_replies_without_outputs(reply, words):
    with pytest.raises(MimError, match=words):
        to_arrays(reply)


def test_states_among_outputs():
    states = {"h1": 2, "last_prediction": 3}
    assert states_in({"prediction": 1, **states}) == states


def test_masks_inside_lists_are_missing_values_too():
    masked = np.ma.masked_array([1.0, 2.0], mask=[False, True])
    found = np.array(_without_mask([masked, masked]), np.float32)
    np.testing.assert_array_equal(found, [[1, np.nan], [1, np.nan]])
