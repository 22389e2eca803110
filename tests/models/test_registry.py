import keras
import numpy as np
import pytest
from keras import ops

import mim_tf
from mim_tf.layers import GateConvolution
from mim_tf.models import frame_input, state_inputs, step_model, to_frame, to_patches
from mim_tf.models.registry import build_step
from mim_tf.weights import load_weights, save_weights
from tests.models.small_models import random_frames, small_config, small_model, step_by_step


@mim_tf.register_network("conv_gru")
def conv_gru_step(config):
    """A convolutional GRU between patches and frame: the example of the README."""
    n, size = config.num_hidden[0], config.filter_size
    frame = frame_input(config)
    old = state_inputs(config, ["h"])
    x, h = to_patches(config, frame), old["h"]
    gates = GateConvolution(2 * n, size, name="gates")(ops.concatenate([x, h], -1))
    keep, reset = ops.split(ops.sigmoid(gates), 2, -1)
    fresh = GateConvolution(n, size, name="fresh")(ops.concatenate([x, reset * h], -1))
    h = keep * h + (1 - keep) * ops.tanh(fresh)
    return step_model(frame, to_frame(config, h), old, {"h": h}, name="conv_gru_step")


def test_network_of_ones_own_predicts_and_is_saved_as_the_others(tmp_path):
    model = small_model(model_name="conv_gru")
    context = random_frames(2, 3)
    forecast = mim_tf.predict(model, context, 4)
    np.testing.assert_allclose(forecast, step_by_step(model, context, 4), rtol=0, atol=1e-5)
    mim_tf.save_weights(model, tmp_path / "mine.weights.h5")
    copy = mim_tf.load_model(tmp_path / "mine.weights.h5")
    np.testing.assert_array_equal(copy(random_frames(2, 5)), model(random_frames(2, 5)))


@pytest.mark.slow
def test_every_weight_of_a_network_of_ones_own_matters():
    model = small_model(model_name="conv_gru")
    frames = random_frames(2, 5)
    before = np.asarray(model(frames))
    for weight in model.trainable_weights:
        value = np.asarray(weight)
        weight.assign(value + np.random.default_rng(0).normal(size=value.shape))
        assert np.abs(np.asarray(model(frames)) - before).max() > 1e-3, weight.path
        weight.assign(value)


def test_a_name_registered_again_is_the_new_network():
    def one_layer(name):
        frame = keras.Input((8, 12, 2))
        return lambda config: keras.Model(frame, frame, name=name)

    mim_tf.register_network("again")(one_layer("first"))
    mim_tf.register_network("again")(one_layer("second"))
    assert build_step(small_config(model_name="again")).name == "second"


@pytest.mark.parametrize("name", ["predrnn_pp", "mim_star", "mim_pp"])
def test_a_highway_needs_a_layer_above(name):
    with pytest.raises(
        mim_tf.MimError, match=r"needs at least 2 layers, received num_hidden=\(3,\)"
    ):
        build_step(small_config(model_name=name, num_hidden=(3,)))


@pytest.mark.parametrize("name", ["predrnn", "predrnn_pp", "convlstm_net", "conv_gru"])
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mim_n": False}, "mim_n must be True for {}, received False"),
        ({"mim_n": False, "mim_s": False}, "mim_n must be True for {}, received False"),
        ({"differencing": "paper"}, "differencing must be code for {}, received paper"),
    ],
)
def test_settings_of_mim_are_refused_by_networks_without_it(name, changes, words):
    with pytest.raises(mim_tf.MimError, match=words.format(name) + ".*setting of mim, mim_star"):
        build_step(small_config(model_name=name, **changes))


def test_weights_of_another_differencing_are_refused(tmp_path):
    save_weights(mim_tf.build_model(small_config()), tmp_path / "a.weights.h5")
    other = mim_tf.build_model(small_config(differencing="paper"))
    with pytest.raises(mim_tf.MimError, match="its differencing is code, the model's is paper"):
        load_weights(other, tmp_path / "a.weights.h5")


@pytest.mark.slow
def test_weights_go_from_one_name_of_a_network_to_the_other(tmp_path):
    model = small_model(model_name="mim_pp")
    save_weights(model, tmp_path / "a.weights.h5")
    copy = mim_tf.build_model(small_config(model_name="mim_star"))
    load_weights(copy, tmp_path / "a.weights.h5")
    np.testing.assert_array_equal(copy(random_frames(1, 4)), model(random_frames(1, 4)))
