"""One time step of every network."""

import math

import numpy as np
import pytest

from mim_tf import ModelConfig, build_model
from mim_tf.models.registry import build_step
from tests.layers.cells import doubles, weights_by_name
from tests.models import oracle_networks
from tests.models.small_models import random_frames, small_config, small_model, step, zero_states


@pytest.mark.parametrize(
    "settings",
    [
        {"model_name": "mim"},
        {"model_name": "mim", "differencing": "paper"},
        {"model_name": "mim", "mim_n": False},
        {"model_name": "mim_star"},
        {"model_name": "mim_star", "differencing": "paper"},
        {"model_name": "mim_star", "mim_n": False},
        {"model_name": "predrnn"},
        {"model_name": "predrnn", "num_hidden": (3,)},
        {"model_name": "predrnn_pp"},
        {"model_name": "convlstm_net"},
        {"model_name": "convlstm_net", "num_hidden": (3,)},
    ],
    ids=lambda settings: "-".join(map(str, settings.values())),
)
def test_every_state_equals_the_formulas(settings):
    model = small_model(**{"num_hidden": (3, 3, 3)} | settings)
    weights = weights_by_name(model.step)
    frames = random_frames(2, 3)
    got = zero_states(model, 2)
    want = doubles({name: state for name, state in got.items() if name != "started"})
    for t in range(3):
        next_frame, got = step(model, frames[:, t], got)
        expected, want = oracle_networks.step(
            model.config, weights, np.float64(frames[:, t]), want, first=t == 0
        )
        np.testing.assert_allclose(next_frame, expected, rtol=0, atol=1e-4)
        assert set(got) - {"started"} == set(want)
        for name, state in want.items():
            np.testing.assert_allclose(got[name], state, rtol=0, atol=1e-4, err_msg=f"{name} {t}")


def size(**settings):
    weights = build_step(ModelConfig(**settings)).trainable_weights
    return sum(math.prod(weight.shape) for weight in weights)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "count", "millions"),
    [
        ("mim", 9_562_832, 9.56),
        ("mim_star", 12_307_600, 12.31),
        ("predrnn", 4_651_280, 4.65),
        ("predrnn_pp", 7_703_824, 7.70),
    ],
)
def test_networks_have_the_size_of_those_of_2019(name, count, millions):
    assert size(model_name=name) == count
    # As measured on the 2019 graphs.
    assert round(count / 1e6, 2) == millions


def test_size_of_convlstm():
    gates, peepholes, to_pixels = 4 * 64, 16 * 16 * 3 * 64, 64 * 16 + 16
    convolutions = [25 * channels * gates + 3 * gates for channels in (16, *[64] * 7)]
    assert size(model_name="convlstm_net") == sum(convolutions) + 4 * peepholes + to_pixels


def test_without_mim_n_there_are_no_weights_of_it():
    paths = weights_by_name(build_step(small_config(mim_n=False)))
    assert any("mim_s" in path for path in paths)
    assert not any("mim_n" in path for path in paths)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "plain"), [("mim", "predrnn"), ("mim_star", "predrnn_pp")])
def test_without_mim_s_and_mim_n_it_is_the_network_it_was_made_from(name, plain):
    ablated = small_model(model_name=name, mim_s=False, mim_n=False)
    other = build_model(small_config(model_name=plain))
    other.set_weights(ablated.get_weights())
    frames = random_frames(2, 4)
    np.testing.assert_array_equal(ablated(frames), other(frames))
