import numpy as np
import pytest

from tests.layers.cells import doubles, weights_by_name
from tests.models import oracle_networks
from tests.models.small_models import random_frames, small_model, step, zero_states


@pytest.fixture(scope="module")
def model():
    return small_model(num_hidden=(3, 3, 3))


def expected(model, frames, flags):
    states = doubles(zero_states(model, len(frames)))
    weights = weights_by_name(model.step)
    return oracle_networks.roll_out(model.config, weights, np.float64(frames), flags, states)


@pytest.mark.parametrize("flags", [[[0, 0], [0, 0]], [[1, 1], [0, 1]], [[0, 0], [1, 0]]])
def test_rolled_out_network_equals_the_formulas(model, flags):
    frames = random_frames(2, 5)
    flags = np.array(flags, np.float32)
    got = model({"frames": frames, "flags": flags})
    np.testing.assert_allclose(got, expected(model, frames, flags), rtol=0, atol=1e-4)


@pytest.mark.parametrize("changes", [{"num_hidden": (3,)}, {"layer_norm": False}])
def test_other_architectures_equal_the_formulas(changes):
    model = small_model(**changes)
    frames = random_frames(2, 5)
    np.testing.assert_allclose(
        model(frames), expected(model, frames, np.zeros((2, 2))), rtol=0, atol=1e-4
    )


def test_mim_n_is_not_applied_at_the_first_frame(model):
    frames = random_frames(2, 2)
    differential = ["d2", "n2", "d3", "n3"]
    _, states = step(model, frames[:, 0], zero_states(model, 2))
    for name in differential:
        np.testing.assert_array_equal(states[name], 0, err_msg=name)
    _, states = step(model, frames[:, 1], states)
    for name in differential:
        assert np.abs(states[name]).max() > 1e-2, name


def test_third_layer_follows_the_difference_of_the_second_mim_n(model):
    """As the 2019 code has it; the paper's formula would feed H2(t) - H2(t-1)."""
    _, old = step(model, random_frames(2, 1)[:, 0], zero_states(model, 2))
    frame = random_frames(2, 1, seed=1)[:, 0]
    _, new = step(model, frame, old)
    mim_n = model.step.get_layer("mim_n_3")
    _, (d3, _) = mim_n(new["d2"], [old["d3"], old["n3"]])
    np.testing.assert_allclose(new["d3"], d3, rtol=0, atol=1e-5)
    _, (of_the_paper, _) = mim_n(new["h2"] - old["h2"], [old["d3"], old["n3"]])
    assert np.abs(new["d3"] - np.asarray(of_the_paper)).max() > 1e-2


def test_spatial_memory_returns_from_the_top_layer(model):
    frame = random_frames(2, 1)[:, 0]
    _, old = step(model, frame, zero_states(model, 2))
    _, new = step(model, frame, old)
    _, other = step(model, frame, old | {"m": old["m"] + 1})
    assert np.abs(new["h1"] - other["h1"]).max() > 1e-2
    assert "m1" not in old


def test_inputs_of_the_step_are_named_and_its_outputs_follow_their_order(model):
    names = [tensor.name for tensor in model.step.inputs]
    layers = [f"{state}{layer}" for layer in (2, 3) for state in "hcsdn"]
    assert names == ["frame", "started", "m", "h1", "c1", *layers]
    assert [t.shape for t in model.step.inputs] == [t.shape for t in model.step.outputs]
