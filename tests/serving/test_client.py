import base64
import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

from mim_tf import serving
from mim_tf.errors import MimError
from mim_tf.serving import grpc_request, rest_columns, rest_rows, states_in, to_arrays

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


@pytest.mark.parametrize("name", serving.__all__)
def test_all_is_there_at_its_first_use(name):
    assert getattr(serving, name).__name__ == name
    assert name in dir(serving)


def test_what_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"'mim_tf\.serving' has no attribute 'nothing'"):
        serving.nothing  # noqa: B018


def test_columns():
    body = rest_columns({"frames": LEVELS / np.float32(4), "batch_size": np.int32(2)}, "step")
    assert json.loads(json.dumps(body)) == {
        "signature_name": "step",
        "inputs": {"frames": [[0, 0.25, 0.5], [0.75, 1, 1.25]], "batch_size": 2},
    }


def test_rows():
    body = rest_rows({"frame": LEVELS, "h1": [[1.5], [2.5]]}, "step")
    assert json.loads(json.dumps(body)) == {
        "signature_name": "step",
        "instances": [{"frame": [0, 1, 2], "h1": [1.5]}, {"frame": [3, 4, 5], "h1": [2.5]}],
    }


@pytest.mark.parametrize("strings", [STRINGS, np.array(STRINGS, object)])
def test_pictures_are_base64(strings):
    assert rest_columns({"frames": strings})["inputs"] == {"frames": ENCODED}
    assert rest_rows({"frames": strings})["instances"] == [{"frames": row} for row in ENCODED]


@pytest.mark.parametrize("inputs", [{"batch_size": 2}, {"frame": LEVELS, "h1": [1.0]}, {}])
def test_rows_of_unequal_inputs(inputs):
    with pytest.raises(MimError, match=r"lists of one length, received .*rest_columns"):
        rest_rows(inputs)


def sent(request):
    """What a server reads from the bytes of a request."""
    request = PredictRequest.FromString(request.SerializeToString())
    inputs = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
    return request.model_spec, inputs


def test_grpc():
    spec, inputs = sent(
        grpc_request({"frame": LEVELS, "h1": LEVELS / 4, "batch_size": 2}, "mim", "step", 7)
    )
    assert (spec.name, spec.signature_name, spec.version.value) == ("mim", "step", 7)
    assert {name: value.dtype for name, value in inputs.items()} == {
        "frame": np.uint8,
        "h1": np.float32,
        "batch_size": np.int32,
    }
    np.testing.assert_array_equal(inputs["frame"], LEVELS)
    np.testing.assert_array_equal(inputs["h1"], LEVELS / 4)
    assert inputs["batch_size"] == 2


def test_grpc_by_default():
    request = grpc_request({"frames": STRINGS}, "mim")
    spec, inputs = sent(request)
    assert spec.signature_name == "predict"
    assert not spec.HasField("version")
    assert inputs["frames"].tolist() == STRINGS


def assert_outputs(outputs):
    assert list(outputs) == ["predictions", "png_bytes"]
    np.testing.assert_array_equal(outputs["predictions"], LEVELS)
    assert outputs["predictions"].dtype == np.uint8
    assert outputs["png_bytes"].tolist() == STRINGS


def test_reply_of_columns():
    outputs = {"predictions": LEVELS.tolist(), "png_bytes": ENCODED}
    assert_outputs(to_arrays({"outputs": outputs}))


def test_reply_of_rows():
    rows = zip(LEVELS.tolist(), ENCODED, strict=True)
    predictions = [{"predictions": frames, "png_bytes": strings} for frames, strings in rows]
    assert_outputs(to_arrays({"predictions": predictions}))


def test_reply_of_grpc():
    reply = PredictResponse()
    reply.outputs["predictions"].CopyFrom(tf.make_tensor_proto(LEVELS))
    reply.outputs["png_bytes"].CopyFrom(tf.make_tensor_proto(np.array(STRINGS, object)))
    outputs = to_arrays(reply)
    assert_outputs({name: outputs[name] for name in ("predictions", "png_bytes")})


@pytest.mark.parametrize("key", ["outputs", "predictions"])
def test_a_server_does_not_name_an_only_output(key):
    outputs = to_arrays({key: [[0.25, 0.5]]})
    assert list(outputs) == ["predictions"]
    assert outputs["predictions"].dtype == np.float32
    np.testing.assert_array_equal(outputs["predictions"], [[0.25, 0.5]])


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ({"error": "frames must not be empty"}, "server reports: frames must not"),
        ({}, r"received \[\]"),
    ],
)
def test_no_outputs(reply, words):
    with pytest.raises(MimError, match=words):
        to_arrays(reply)


def test_states():
    assert states_in({"prediction": 1, "h1": 2, "last_prediction": 3}) == {
        "h1": 2,
        "last_prediction": 3,
    }
