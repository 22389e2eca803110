"""The exported version as a server uses it: through a session, which checks no shapes itself."""

import functools
import json

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2

from mim_tf.config.stored import from_json

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ask(version):
    """Runs an endpoint; like a server, this does not compare inputs with the signature."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(version))

        @functools.cache
        def prepare(endpoint):
            signature = loaded.signature_def[endpoint]
            options = config_pb2.CallableOptions(
                feed=[info.name for info in signature.inputs.values()],
                fetch=[info.name for info in signature.outputs.values()],
            )
            # Session.run would compare the shapes in Python; the public callables use it.
            call = session._make_callable_from_options(options)
            return call, list(signature.inputs), list(signature.outputs)

        def ask(endpoint, **inputs):
            call, given, returned = prepare(endpoint)
            return dict(zip(returned, call(*(inputs[name] for name in given)), strict=True))

        yield ask


def test_a_session_predicts_the_same(ask, frames, expected):
    predictions = ask("predict", frames=frames[:, :3] / np.float32(255))["predictions"]
    np.testing.assert_allclose(predictions, expected[3], rtol=0, atol=1e-5)


def states_after(ask, batch):
    states = ask("start", batch_size=np.int32(batch))
    states = ask("step", frame=np.zeros((batch, 8, 16, 3), np.float32), **states)
    return {name: value for name, value in states.items() if name != "prediction"}


@pytest.mark.parametrize(
    "shape", [(1, 2, 8, 16, 1), (1, 2, 1, 16, 3), (1, 2, 1, 1, 1), (2, 8, 16, 3), (1, 0, 8, 16, 3)]
)
@pytest.mark.parametrize(
    ("endpoint", "dtype"), [("predict", "float32"), ("predict_uint8", "uint8")]
)
def test_wrong_frames_are_not_broadcast(ask, endpoint, dtype, shape):
    with pytest.raises(tf.errors.InvalidArgumentError, match="frames"):
        ask(endpoint, frames=np.zeros(shape, dtype))


@pytest.mark.parametrize("shape", [(2, 8, 16, 1), (2, 1, 1, 3), (1, 8, 16, 3), (8, 16, 3)])
def test_a_wrong_frame_is_not_broadcast(ask, shape):
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"frame_|batch size"):
        ask("step", frame=np.zeros(shape, np.float32), **states_after(ask, 2))


@pytest.mark.parametrize("name", ["last_prediction", "m", "h1", "started"])
@pytest.mark.parametrize("shape", [(1, 2, 4, 4), (2, 1, 1, 4), (2, 2, 4), (1, 1, 1, 1)])
def test_a_wrong_state_is_not_broadcast(ask, name, shape):
    states = states_after(ask, 2) | {name: np.zeros(shape, np.float32)}
    with pytest.raises(tf.errors.InvalidArgumentError, match=name):
        ask("rollout", **states)
    with pytest.raises(tf.errors.InvalidArgumentError, match=name):
        ask("step", frame=np.zeros((2, 8, 16, 3), np.float32), **states)


def test_assets(version, model):
    config = from_json("model_config.json", (version / "assets/model_config.json").read_text())
    assert (config.input_length, config.horizon) == (3, 4)
    assert config.frame_shape == model.config.frame_shape
    assert json.loads((version / "assets/metrics.json").read_text()) == {"mse": 44.2}


def test_saved_model_cli(consumed, expected):
    """`consumer.py` ran it, as its flags would stay in this process."""
    arrays, messages = consumed
    np.testing.assert_allclose(arrays["cli"], expected[3], rtol=0, atol=1e-5)
    for endpoint in ("predict", "predict_uint8", "predict_png", "start", "step", "rollout"):
        assert f"signature_def['{endpoint}']" in messages["show --all"]
    assert "inputs['frames'] tensor_info:" in messages["show --all"]
