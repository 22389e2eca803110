"""bfloat16 in the convolutions of the cells, float32 everywhere else."""

import numpy as np
import pytest

import mim_tf
from mim_tf.layers import GateConvolution
from mim_tf.models import precision
from tests.layers.cells import randomise
from tests.models.small_models import random_frames, small_config, small_model

NETWORKS = ["mim", "mim_star", "predrnn", "predrnn_pp", "convlstm_net"]


def convolutions(step):
    layers = step._flatten_layers(include_self=False)
    return {each.path: each for each in layers if isinstance(each, GateConvolution)}


@pytest.mark.parametrize("name", NETWORKS)
def test_only_the_last_convolution_is_float32(name):
    step = small_model(model_name=name, precision="bfloat16").step
    float32 = [path for path, each in convolutions(step).items() if each.precision == "float32"]
    assert float32 == ["to_pixels"]
    assert {weight.dtype for weight in step.weights} == {"float32"}
    assert {output.dtype for output in step.outputs} == {"float32"}


@pytest.mark.slow
def test_forecast_is_near_that_of_float32():
    models = [small_model(precision=precision) for precision in ("float32", "bfloat16")]
    randomise(models[0], seed=1)
    models[1].set_weights(models[0].get_weights())
    context = random_frames(2, 3)
    exact, rounded = (mim_tf.predict(model, context, 4) for model in models)
    assert 0 < np.abs(exact - rounded).max() < 0.05


@pytest.mark.slow
def test_a_weights_file_serves_both_precisions(tmp_path):
    path = tmp_path / "a.weights.h5"
    model = small_model(precision="bfloat16")
    mim_tf.save_weights(model, path)
    assert mim_tf.load_model(path).config.precision == "bfloat16"
    other = mim_tf.build_model(small_config())
    mim_tf.weights.load_weights(other, path)
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [({"float32": 2, "bfloat16": 1}, "bfloat16"), ({"float32": 1, "bfloat16": 1}, "float32")],
)
def test_auto_is_the_faster_one(monkeypatch, seconds, expected):
    precision.faster_precision.cache_clear()
    monkeypatch.setattr(precision, "_seconds", seconds.get)
    model = small_model(precision="auto")
    assert model.config.precision == expected
    assert {each.precision for each in convolutions(model.step).values()} == {"float32", expected}


def test_what_auto_chooses_is_measured_and_logged(caplog):
    precision.faster_precision.cache_clear()
    with caplog.at_level("INFO", logger="absl"):
        assert precision.faster_precision() in ("float32", "bfloat16")
    assert "a convolution takes" in caplog.text
