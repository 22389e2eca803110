"""Precision, and lower bounds of the memory that a network needs."""

import math

import pytest

import mim_tf
from mim_tf.errors import MimError
from mim_tf.layers import GateConvolution
from mim_tf.models import machine
from mim_tf.models.machine import check_prediction, check_training, size_of
from mim_tf.models.registry import build_step
from mim_tf.runtime.keras_private import layers_inside
from tests.models.small_models import random_frames, shared_model, small_config

NETWORKS = ["mim", "mim_star", "predrnn", "predrnn_pp", "convlstm_net"]
GIB = 2**30


def precisions(step):
    """Path -> precision of each convolution."""
    layers = layers_inside(step)
    return {each.path: each.precision for each in layers if isinstance(each, GateConvolution)}


@pytest.mark.parametrize("name", NETWORKS)
def test_only_the_last_convolution_is_float32(name):
    step = build_step(small_config(model_name=name, precision="bfloat16"))
    float32 = [path for path, precision in precisions(step).items() if precision == "float32"]
    assert float32 == ["to_pixels"]
    assert {weight.dtype for weight in step.weights} == {"float32"}
    assert {output.dtype for output in step.outputs} == {"float32"}


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [({"float32": 2, "bfloat16": 1}, "bfloat16"), ({"float32": 1, "bfloat16": 1}, "float32")],
)
def test_auto_is_the_faster_precision(monkeypatch, seconds, expected):
    machine.faster_precision.cache_clear()
    monkeypatch.setattr(machine, "_seconds", seconds.get)
    model = mim_tf.build_model(small_config(precision="auto"))
    machine.faster_precision.cache_clear()
    assert model.config.precision == expected
    assert set(precisions(model.step).values()) == {"float32", expected}


def test_the_measurement_of_auto_is_logged(caplog):
    machine.faster_precision.cache_clear()
    with caplog.at_level("INFO", logger="absl"):
        assert machine.faster_precision() in ("float32", "bfloat16")
    assert "a convolution takes" in caplog.text


@pytest.fixture
def memory(monkeypatch):
    """Sets the memory of the machine, in bytes."""
    return lambda count: monkeypatch.setattr(machine, "machine_memory", lambda: count)


@pytest.mark.parametrize(
    ("name", "gates"), [("predrnn", 2 * 13), ("convlstm_net", 2 * 8), ("mim", 13 + 28)]
)
def test_the_size_of_a_built_network(name, gates):
    config = small_config(model_name=name)
    step = build_step(config)
    parameters, states, gates_found = found = size_of(config, step)
    assert parameters == step.count_params()
    assert states == sum(math.prod(state.shape[1:]) for state in step.inputs[1:])
    assert gates_found == gates * 3 * math.prod(config.grid)
    assert all(least < built for least, built in zip(size_of(config), found, strict=True))


@pytest.mark.parametrize("name", ["mim", "a network that is not built"])
@pytest.mark.parametrize(
    "settings",
    [
        {"num_hidden": (10**6,) * 4},
        {"filter_size": 10**9 + 1},
        {"img_width": 10**6},
        {"img_channel": 10**9},
        {"patch_size": 10**5, "img_width": 10**5},
    ],
)
def test_a_network_beyond_memory_is_refused_before_it_is_built(name, settings, memory):
    memory(16 * GIB)
    with pytest.raises(MimError, match=r"num_hidden.*patch_size"):
        mim_tf.build_model(mim_tf.ModelConfig(model_name=name, **settings))


@pytest.mark.parametrize("settings", [{"batch_size": 10**6}, {"total_length": 10**7}])
def test_a_training_beyond_memory_is_refused(settings, memory):
    memory(16 * GIB)
    batch_size = settings.pop("batch_size", 8)
    with pytest.raises(MimError, match="batch_size"):
        check_training(mim_tf.ModelConfig(**settings), batch_size)


def test_a_forecast_beyond_memory_is_refused(memory):
    model = shared_model()
    parameters, states, _ = size_of(model.config, model.step)
    memory(4 * (parameters + 2 * states + 10 * math.prod(model.config.frame_shape)))
    check_prediction(model.config, 1, 10, model.step)
    with pytest.raises(MimError):
        model.forecast(random_frames(1, 2), horizon=9)


def test_a_gpu_holds_the_gradient(memory):
    config = mim_tf.ModelConfig()
    step = build_step(config)
    memory(2 * GIB)
    with pytest.raises(MimError):
        check_training(config, 32, step=step)
    check_training(config, 32, rematerialise=True, step=step)
    check_training(config, 32, on_host=False, step=step)


def test_nothing_is_refused_if_the_memory_is_unknown(memory):
    memory(None)
    check_training(mim_tf.ModelConfig(num_hidden=(10**6,)), 10**6)
