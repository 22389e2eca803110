"""Endpoints, called directly and from an exported version without Keras and mim_tf."""

import re

import numpy as np
import pytest
import tensorflow as tf

import mim_tf
from mim_tf import VideoPredictor
from mim_tf.serving import Endpoints
from mim_tf.serving.endpoints import LAST, ServedStep
from mim_tf.values.scale import LinearScale
from tests.models.small_models import random_frames, small_config, small_model

KELVIN = LinearScale(("K",), (280.0,), (290.0,), clipped=False, names=("t2m",))
DBZ = LinearScale("dBZ", 0, 70)


@pytest.mark.slow
def test_exported_endpoints_predict_what_the_network_does(consumed, expected):
    arrays, messages = consumed
    assert messages["modules"] == []  # neither Keras nor mim_tf was imported
    for length in (1, 3, 5):
        predictions = arrays[f"predict{length}"]
        np.testing.assert_allclose(predictions, expected[length], rtol=0, atol=1e-5)
        assert np.ptp(predictions) > 0.1
    np.testing.assert_array_equal(arrays["default"], arrays["predict3"])


@pytest.mark.slow
@pytest.mark.parametrize("endpoint", ["uint8", "png", "png_decoded"])
def test_levels_are_the_nearest(consumed, expected, endpoint):
    predictions = consumed[0][endpoint]
    assert predictions.dtype == np.uint8
    half_a_level = 0.5 / 255 + 1e-5
    np.testing.assert_allclose(predictions / 255, expected[3], rtol=0, atol=half_a_level)


@pytest.mark.slow
@pytest.mark.parametrize("length", [1, 3, 5])
def test_a_stream_predicts_what_predict_does(consumed, expected, length):
    arrays = consumed[0]
    rollout = arrays[f"rollout{length - 1}"]
    np.testing.assert_allclose(rollout, arrays[f"predict{length}"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(rollout, expected[length], rtol=0, atol=1e-5)
    np.testing.assert_array_equal(arrays[f"step{length - 1}"], rollout[:, 0])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "words"),
    [
        *((case, "frames") for case in ("empty", "range", "nan", "size", "rank")),
        *((case, "frames") for case in ("no picture", "empty picture")),
        ("picture size", "frames .* 16 x 8"),
        ("batch of states", "last_prediction"),
        ("batch of one state", "h1"),
        ("no streams", "batch_size .* 837552"),
        ("too many streams", "batch_size"),
        *(
            (f"{name} {value} in {endpoint}", name)
            for name in ("h1", "m", "last_prediction")
            for value in ("nan", "inf", "1e+38")
            for endpoint in ("step", "rollout")
        ),
    ],
)
def test_wrong_inputs_are_named(consumed, case, words):
    message = consumed[1][case]
    assert re.search(words, message), message


@pytest.mark.slow
def test_models_of_any_policy_are_served_in_float32():
    mixed = VideoPredictor(small_config(), dtype="mixed_bfloat16")
    single = VideoPredictor(mixed.config, dtype="float32")
    single.set_weights(mixed.get_weights())
    frames = random_frames(1, 2)
    served = Endpoints(mixed).forecast(frames)
    expected = np.clip(single.forecast(frames), 0, 1)
    np.testing.assert_allclose(served, expected, rtol=0, atol=1e-5)


def persistence(scale, **changes):
    """Make endpoints whose forecast repeats the last frame, without running the network."""
    network = {"model_name": "convlstm_net", "num_hidden": (2,), "filter_size": 3} | changes
    config = mim_tf.ModelConfig(img_width=8, input_length=2, total_length=3, scale=scale, **network)
    endpoints = Endpoints(mim_tf.build_model(config))
    endpoints.forecast = lambda frames: endpoints._clipped(frames[:, -1:])
    endpoints._step = lambda frame, states: states | {LAST: frame}
    return endpoints


@pytest.mark.parametrize("scale", [KELVIN, DBZ, LinearScale(("dBZ",), (0.0,), (60.0,), False)])
def test_physical_values_in_and_out(scale):
    endpoints = persistence(scale)
    values = np.full((1, 2, 8, 8, 1), 30, np.float32)
    values[0, 1, 0, 0] = np.nan
    predictions = endpoints.predict_physical(tf.constant(values))["predictions"].numpy()
    np.testing.assert_allclose(predictions[0, 0, 1:], 30, rtol=1e-4)
    missing = np.ravel(scale.low)[0]
    np.testing.assert_allclose(predictions[0, 0, 0, 0], missing, rtol=1e-4)
    for value in (np.inf, -np.inf, *([-999] if "dBZ" in scale.unit else [])):
        values[0, 1, 0, 0] = value
        with pytest.raises(tf.errors.InvalidArgumentError, match="frames"):
            endpoints.predict_physical(tf.constant(values))


@pytest.mark.slow
def test_a_stream_of_channels_apart_predicts_what_the_network_does():
    model = small_model(channels_apart=True)
    endpoints, frames = Endpoints(model), random_frames(2, 3)
    expected = np.clip(model.forecast(frames), 0, 1)
    predictions = endpoints.predict(tf.constant(frames))["predictions"]
    np.testing.assert_allclose(predictions, expected, atol=1e-5)
    states = endpoints.start(tf.constant(2))
    assert {len(state) for state in states.values()} == {2}
    for t in range(3):
        states = endpoints.step(tf.constant(frames[:, t]), states)
        del states["prediction"]
    np.testing.assert_allclose(endpoints.rollout(states)["predictions"], expected, atol=1e-5)


def test_a_stream_goes_on_from_any_values_that_are_not_clipped():
    endpoints, frame = persistence(KELVIN, prediction="flow"), tf.fill((1, 8, 8, 1), 3e6)
    states = endpoints.start(tf.constant(1)) | {"predicted": frame}
    for _ in range(2):
        states = endpoints.step(frame, states)
        del states["prediction"]
    assert endpoints.rollout(states)["predictions"].numpy().max() == 3e6
    with pytest.raises(tf.errors.InvalidArgumentError, match="last_prediction"):
        endpoints.rollout(states | {LAST: frame * np.inf})


@pytest.mark.parametrize(
    ("scale", "some"),
    [(None, {"uint8", "png"}), (DBZ, {"physical", "uint8", "png"}), (KELVIN, {"physical"})],
)
def test_levels_need_a_range_and_physical_values_a_scale(scale, some):
    always = {"predict", "start", "step", "rollout"}
    assert set(persistence(scale).signatures()) == always | {f"predict_{name}" for name in some}


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "freeze"), [("float32", False), ("bfloat16", True)])
def test_a_served_step_keeps_its_weights(precision, freeze):
    config = small_config(precision=precision)
    step = mim_tf.build_model(config).step
    generator = np.random.default_rng(0)
    inputs = [generator.random((2, *each.shape[1:]), np.float32) for each in step.inputs]
    inputs = [*map(tf.constant, inputs)]
    expected = step(inputs)
    served = ServedStep(step, freeze)
    for variable in step.variables:
        variable.assign(variable + 1)
    for output, value in zip(served(inputs), expected, strict=True):
        np.testing.assert_allclose(output, value, rtol=0, atol=1e-6)
    if freeze:
        graph = tf.function(ServedStep(step, freeze=True)).get_concrete_function(inputs).graph
        assert not graph.variables
