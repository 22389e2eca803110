"""What is said about the inside of a network, against cells looked at one by one."""

import dataclasses
import itertools

import keras
import numpy as np
import pytest
from keras import ops

import mim_tf
from mim_tf.evaluation.forget_gates import _measured, inside_statistics, observe, observed_step

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["mim_star", "predrnn", "convlstm_net"])
def seen(request, tiny_config, tiny_frames):
    """A network, and what was seen inside it on five sequences."""
    keras.utils.set_random_seed(1)
    model = mim_tf.build_model(dataclasses.replace(tiny_config, model_name=request.param))
    observed = observed_step(model.step)
    # Tracing takes seconds, running milliseconds.
    model.forecast_batch.__self__.run_eagerly = observed.run_eagerly = True
    return model, list(observe(model, observed, tiny_frames))


def test_looking_does_not_change_what_is_predicted(seen, tiny_frames):
    """The states that are seen are those of the forecast: its last frame follows from them."""
    model, inside = seen
    assert len(inside) == 5
    names = [state.name for state in model.step.inputs[1:]]
    forecast = mim_tf.predict(model, tiny_frames[:, :3], 3)
    states = [inside[3][f"state/{name}"] for name in names]
    last, *_ = model.step([forecast[:, 1], *states])
    np.testing.assert_allclose(last, forecast[:, 2], atol=1e-5)


def test_gates_are_what_moves_the_memories(seen):
    """c' = f . c + i . tanh(g), with |tanh| < 1, wherever all three are seen."""
    _, inside = seen
    gates = [key for key in inside[0] if key.split("/")[1] in ("forget", "mim_s_forget")]
    assert gates
    for now in inside:
        for key, values in now.items():
            if not key.startswith("state/") and not key.endswith("/T"):
                assert ((values > 0) & (values < 1)).all(), key
    memories = {"state/s2": "mim_causal_block_2/mim_s_", "state/c2": "conv_lstm_2/"}
    for before, now in itertools.pairwise(inside):
        for memory, cell in memories.items():
            if f"{cell}forget" in now:
                rest = now[memory] - now[f"{cell}forget"] * before[memory]
                assert (np.abs(rest) <= now[f"{cell}input"] + 1e-5).all()


def test_t_is_the_output_of_mim_s(seen):
    _, inside = seen
    for now in inside:
        for block in (key[:-2] for key in now if key.endswith("/T")):
            expected = now[f"{block}/mim_s_output"] * np.tanh(now[f"state/s{block[-1]}"])
            np.testing.assert_allclose(now[f"{block}/T"], expected, atol=1e-5)


def test_statistics_are_means_over_sequences_however_they_are_batched(seen, tiny_frames):
    model, inside = seen
    result = inside_statistics(model, [tiny_frames[:3], tiny_frames[3:]], low=0.4, high=0.7)
    assert result["sequences"] == 5
    for gate, shares in result["saturation"].items():
        below = [(now[gate] < 0.4).mean() for now in inside]
        above = [(now[gate] > 0.7).mean() for now in inside]
        # A value within rounding of a threshold may fall to either side.
        np.testing.assert_allclose(shares["below"], below, atol=0.002)
        np.testing.assert_allclose(shares["above"], above, atol=0.002)
    for layer, memories in result["norms"].items():
        for memory, norms in memories.items():
            number = layer[-1]
            blocks = [key for key in inside[0] if key.endswith(f"block_{number}/T")]
            key = blocks[0] if memory == "T" else f"state/{memory.lower()}{number}"
            expected = [np.sqrt((now[key] ** 2).sum((1, 2, 3))).mean() for now in inside]
            np.testing.assert_allclose(norms, expected, rtol=1e-4, atol=1e-6)
    assert bool(result["norms"]) == model.config.model_name.startswith("mim")


def test_forget_gate_of_an_st_lstm(tiny_config):
    """At the first frame, from zero states, it is s(f_x + f_t + 1), both after their norms."""
    config = dataclasses.replace(tiny_config, model_name="predrnn", num_hidden=(4,))
    model = mim_tf.build_model(config)
    frame = np.random.default_rng(0).random((1, 32, 32, 1), np.float32)
    cell = model.step.get_layer("st_lstm_1")
    patches = model.step.get_layer("to_patches")(frame)
    zero = np.zeros((1, 4, 4, 4), np.float32)
    f = (cell.from_input(patches) + cell.from_hidden(zero))[..., 8:12]
    seen = next(observe(model, observed_step(model.step), np.stack([frame, frame], axis=1)))
    np.testing.assert_allclose(seen["st_lstm_1/forget"], ops.sigmoid(f + 1), atol=1e-6)


def test_norms_of_half_precision_do_not_overflow():
    values = np.full((2, 48, 48, 64), 0.8, np.float16)
    ((_, norms),) = _measured("state/s2", values, 0.1, 0.9)
    np.testing.assert_allclose(norms, 0.8 * np.sqrt(48 * 48 * 64), rtol=1e-3)
