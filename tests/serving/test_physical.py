"""The endpoint that takes and gives physical values."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

import mim_tf
from mim_tf.serving.endpoints import LAST, Endpoints
from mim_tf.values.scale import LinearScale

KELVIN = LinearScale(("K",), (280.0,), (290.0,), clipped=False, names=("t2m",))


@pytest.fixture(scope="module", params=[KELVIN, LinearScale("dBZ", 0, 70)])
def persistence(request):
    """Endpoints whose forecast repeats the last frame; the network is never run."""
    config = mim_tf.ModelConfig(
        model_name="convlstm_net",
        img_width=8,
        num_hidden=(2,),
        filter_size=3,
        input_length=2,
        total_length=3,
        scale=request.param,
    )
    endpoints = Endpoints(mim_tf.build_model(config))
    endpoints.forecast = lambda frames: endpoints._clipped(frames[:, -1:])
    endpoints._step = lambda frame, states: states | {LAST: frame}
    return endpoints


def test_physical_values_in_and_out(persistence):
    values = np.full((1, 2, 8, 8, 1), 30, np.float32)
    values[0, 1, 0, 0] = np.nan
    predictions = persistence.predict_physical(tf.constant(values))["predictions"].numpy()
    np.testing.assert_allclose(predictions[0, 0, 1:], 30, rtol=1e-4)
    missing = np.ravel(persistence.scale.low)[0]
    np.testing.assert_allclose(predictions[0, 0, 0, 0], missing, rtol=1e-4)


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinity_is_refused(persistence, value):
    values = np.full((1, 2, 8, 8, 1), 30, np.float32)
    values[0, 1, 0, 0] = value
    with pytest.raises(tf.errors.InvalidArgumentError, match="frames must be finite"):
        persistence.predict_physical(tf.constant(values))


@pytest.mark.parametrize("persistence", [KELVIN], indirect=True)
def test_a_stream_goes_on_from_any_values_that_are_not_clipped(persistence):
    frame = tf.fill((1, 8, 8, 1), 3e6)
    states = persistence.start(tf.constant(1))
    for _ in range(2):
        states = persistence.step(frame, states)
        del states["prediction"]
    assert persistence.rollout(states)["predictions"].numpy().max() == 3e6
    with pytest.raises(tf.errors.InvalidArgumentError, match="last_prediction must be finite"):
        persistence.rollout(states | {LAST: frame * np.inf})


def test_levels_need_a_range(persistence):
    names = set(persistence.signatures())
    assert {"predict", "predict_physical", "step"} <= names
    assert ("predict_uint8" in names) == persistence.scale.clipped


def test_without_a_scale_nothing_is_physical(persistence):
    config = dataclasses.replace(mim_tf.ModelConfig(), img_width=8, img_height=8)
    assert config.scale is None
    bare = Endpoints.__new__(Endpoints)
    bare.__dict__.update(vars(persistence), scale=None)
    assert "predict_physical" not in bare.signatures()
