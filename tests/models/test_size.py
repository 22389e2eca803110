import dataclasses

import pytest

import mim_tf
from mim_tf.errors import MimError
from mim_tf.models.registry import build_step
from mim_tf.models.size import check_prediction, check_training, size_of

SMALL = mim_tf.ModelConfig(
    img_width=8,
    img_height=16,
    img_channel=2,
    patch_size=4,
    num_hidden=(3, 3, 3),
    filter_size=3,
    input_length=3,
    total_length=6,
)
GIB = 2**30


@pytest.fixture
def memory(monkeypatch):
    """Sets what the machine has, in bytes."""

    def have(count):
        monkeypatch.setattr("mim_tf.models.size.machine_memory", lambda: count)

    return have


@pytest.mark.parametrize(
    "settings",
    [
        {"model_name": "mim"},
        {"model_name": "mim", "layer_norm": False, "mim_n": False},
        {"model_name": "mim", "mim_n": False, "mim_s": False},
        {"model_name": "mim_star"},
        {"model_name": "mim_star", "mim_n": False},
        {"model_name": "predrnn"},
        {"model_name": "predrnn_pp"},
        {"model_name": "convlstm_net", "num_hidden": (3,)},
    ],
)
def test_parameters_and_states_are_those_of_the_built_network(settings):
    config = dataclasses.replace(SMALL, **settings)
    step, size = build_step(config), size_of(config)
    assert size.parameters == step.count_params()
    states = [state for state in step.inputs[1:] if state.name != "started"]
    height, width = config.grid
    assert size.states == len(states) * height * width * 3


def test_a_network_of_the_user_is_not_counted():
    assert size_of(dataclasses.replace(SMALL, model_name="mine")).parameters == 0


def test_a_hand_computed_size(memory):
    """The paper's network: 4 layers of 64 channels, 5x5 kernels, 16 x 16 positions."""
    size = size_of(mim_tf.ModelConfig())
    states = (3 + 3 * 5) * 16 * 16 * 64
    assert size.states == states
    assert size.gates == (12 + 3 * 27) * 16 * 16 * 64
    memory(4 * (size.parameters + 2 * states + 10 * 64 * 64))
    check_prediction(mim_tf.ModelConfig(), 1, 10)
    with pytest.raises(MimError, match=r"9,562,832 parameters .* of memory \(0\.04 GiB weights"):
        check_prediction(mim_tf.ModelConfig(), 1, 11)


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
def test_a_network_beyond_memory_is_refused_before_it_is_built(settings, memory):
    memory(16 * GIB)
    with pytest.raises(MimError, match=r"parameters needs at least .* this machine has 16\.00 GiB"):
        mim_tf.build_model(mim_tf.ModelConfig(**settings))


@pytest.mark.parametrize("settings", [{"batch_size": 10**6}, {"total_length": 10**7}])
def test_a_training_beyond_memory_is_refused(settings, memory):
    memory(16 * GIB)
    batch_size = settings.pop("batch_size", 8)
    with pytest.raises(MimError, match=r"gradient needs .* Lower num_hidden"):
        check_training(mim_tf.ModelConfig(**settings), batch_size)


def test_what_the_gradient_needs_is_not_in_the_memory_of_the_host_with_a_gpu(memory):
    memory(2 * GIB)
    config = mim_tf.ModelConfig()
    with pytest.raises(MimError):
        check_training(config, 32)
    check_training(config, 32, rematerialise=True)
    check_training(config, 32, on_host=False)


def test_where_the_memory_is_not_known_nothing_is_refused(memory):
    memory(None)
    check_training(mim_tf.ModelConfig(num_hidden=(10**6,)), 10**6)
