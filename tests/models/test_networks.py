"""Every network against its formula in NumPy, and the registry."""

import keras
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

import mim_tf
from mim_tf import MimError, build_model
from mim_tf.models.registry import build_step
from mim_tf.training.optimizers import compile_for_training
from tests.layers.cells import doubles, weights_by_name
from tests.models import oracle_networks
from tests.models.small_models import (
    random_frames,
    shared_model,
    small_config,
    small_model,
    step,
    step_by_step,
    untraced,
    zero_states,
)
from tests.test_readme import block


@pytest.mark.parametrize(
    "settings",
    [
        {"model_name": "mim"},
        {"model_name": "mim", "num_hidden": (3,)},
        {"model_name": "mim", "layer_norm": False},
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
    model = shared_model(**{"num_hidden": (3, 3, 3)} | settings)
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


@pytest.mark.parametrize("flags", [[[0, 0], [0, 0]], [[1, 1], [0, 1]], [[0, 0], [1, 0]]])
def test_rolled_out_network_equals_the_formulas(flags):
    model = shared_model(num_hidden=(3, 3, 3))
    frames = random_frames(2, 5)
    flags = np.array(flags, np.float32)
    states, weights = doubles(zero_states(model, 2)), weights_by_name(model.step)
    expected = oracle_networks.roll_out(model.config, weights, np.float64(frames), flags, states)
    got = model({"frames": frames, "flags": flags})
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        # As counted in the 2019 graphs.
        ("mim", 9_562_832),
        ("mim_star", 12_307_600),
        ("predrnn", 4_651_280),
        ("predrnn_pp", 7_703_824),
        # By hand: 25 * 256 * channels kernels and 3 * 256 biases and norms of eight convolutions,
        # 16 * 16 * 3 * 64 peepholes in each of four layers, 65 * 16 weights to the pixels.
        ("convlstm_net", 25 * 256 * (16 + 7 * 64) + 24 * 256 + 4 * 16 * 16 * 192 + 65 * 16),
    ],
)
def test_number_of_parameters(name, count):
    assert build_step(mim_tf.ModelConfig(model_name=name)).count_params() == count


@pytest.mark.slow
@pytest.mark.parametrize(("name", "plain"), [("mim", "predrnn"), ("mim_star", "predrnn_pp")])
def test_without_mim_s_and_mim_n_it_is_the_network_it_was_made_from(name, plain):
    ablated = shared_model(model_name=name, mim_s=False, mim_n=False)
    other = mim_tf.build_model(small_config(model_name=plain))
    other.set_weights(ablated.get_weights())
    frames = random_frames(2, 4)
    np.testing.assert_array_equal(ablated(frames), other(frames))


# The network "conv_gru", as on the page.
exec(block("docs/networks.md", "register_network"), names := {})
CONV_GRU = names["conv_gru_step"]


def test_network_of_ones_own_predicts_and_is_saved_as_the_others(tmp_path):
    model = shared_model(model_name="conv_gru")
    context = random_frames(2, 3)
    forecast = mim_tf.predict(model, context, 4)
    np.testing.assert_allclose(forecast, step_by_step(model, context, 4), rtol=0, atol=1e-5)
    mim_tf.save_weights(model, tmp_path / "mine.weights.h5")
    copy = mim_tf.load_model(tmp_path / "mine.weights.h5")
    np.testing.assert_array_equal(copy(random_frames(2, 5)), model(random_frames(2, 5)))


def test_a_layer_that_assigns_variables_needs_a_loop_that_keeps_them():
    frames = random_frames(2, 4)
    for rematerialise in (False, True):
        model = build_model(small_config(model_name="normed"), rematerialise)
        model.compile("sgd", "mse", run_eagerly=True)
        if rematerialise:
            with pytest.raises(MimError, match="--rematerialise"):
                model.fit(frames, frames[:, 1:], verbose=0)
        else:
            model.fit(frames, frames[:, 1:], verbose=0)
            assert np.all(model.step.get_layer("norm").moving_mean > 0)


def test_a_name_registered_again_is_the_new_network():
    def one_layer(name):
        frame = keras.Input((8, 12, 2))
        return lambda config: keras.Model(frame, frame, name=name)

    mim_tf.register_network("again")(one_layer("first"))
    mim_tf.register_network("again")(one_layer("second"))
    assert build_step(small_config(model_name="again")).name == "second"


@pytest.mark.parametrize(("layers", "warns"), [((3,), True), ((3, 3), False)])
def test_one_layer_of_mim_has_no_mim_block(layers, warns, caplog):
    build_step(small_config(num_hidden=layers))
    assert ("PredRNN" in caplog.text) == warns


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"model_name": "mimm"}, "model_name"),
        ({"model_name": "predrnn_pp", "num_hidden": (3,)}, "num_hidden"),
        ({"model_name": "mim_star", "num_hidden": (3,)}, "num_hidden"),
        ({"model_name": "predrnn", "mim_n": False}, "mim_n"),
        ({"model_name": "conv_gru", "mim_n": False, "mim_s": False}, "mim_n"),
        ({"model_name": "convlstm_net", "differencing": "paper"}, "differencing"),
    ],
)
def test_settings_that_a_network_does_not_support_are_refused(changes, named):
    with pytest.raises(mim_tf.MimError, match=named):
        build_step(small_config(**changes))


class OwnModel(keras.Model):
    """A functional model of a class of one's own."""


class WithoutEnds(keras.Model):
    """A model that is not functional."""


def test_a_step_of_a_class_of_ones_own_is_saved_and_loaded(tmp_path):
    def build(config):
        step = CONV_GRU(config)
        return OwnModel(step.inputs, step.outputs)

    mim_tf.register_network("own_class")(build)
    model = small_model(model_name="own_class")
    compile_for_training(model)
    mim_tf.save_weights(model, tmp_path / "a.weights.h5")
    copy = mim_tf.load_model(tmp_path / "a.weights.h5")
    np.testing.assert_equal(copy.get_weights(), model.get_weights())


@pytest.mark.parametrize(
    "change",
    [
        lambda inputs, outputs: (inputs, [outputs[0][..., :1], outputs[1]]),
        lambda inputs, outputs: (inputs, [outputs[0], outputs[1][..., :1]]),
        lambda inputs, outputs: (inputs, outputs[:1]),
        None,
    ],
)
def test_a_step_that_no_loop_can_apply_is_refused(change):
    def build(config):
        step = CONV_GRU(config)
        return keras.Model(*change(step.inputs, step.outputs)) if change else WithoutEnds()

    mim_tf.register_network("no_step")(build)
    with pytest.raises(MimError, match="no_step"):
        build_step(small_config(model_name="no_step"))


def test_a_network_cannot_have_the_name_of_another_in_2019():
    with pytest.raises(MimError, match="mim_star"):
        mim_tf.register_network("mim_pp")


FREE = {"peephole": "channel", "layer_norm": False}


@pytest.mark.parametrize("name", ["mim", "convlstm_net"])
@pytest.mark.parametrize("prediction", ["change", "motion"])
def test_what_is_added_starts_at_zero(name, prediction):
    model = small_model(model_name=name, prediction=prediction)
    for weight in model.step.get_layer("to_pixels").weights:
        weight.assign(0 * weight)
    frames = random_frames(2, 2)
    np.testing.assert_array_equal(model.forecast(frames, 3), np.repeat(frames[:, -1:], 3, axis=1))


def test_a_new_network_moves_the_last_frame_on():
    model = untraced(build_model(small_config(prediction="flow", img_channel=1)))
    # Smooth, because the motion of noise depends on how it is rounded.
    frames = gaussian_filter(random_frames(2, 4)[..., :1], (0, 1, 2, 2, 0))
    layer = model.step.get_layer("moved_on")
    shapes = layer.state_shapes(*frames.shape[2:]).values()
    states = [np.zeros((2, *each), np.float32) for each in shapes]
    last, expected = np.zeros_like(frames[:, 0]), []
    for t in range(6):
        trail, states = layer([frames[:, t] if t < 4 else last, last], states)
        last = np.asarray(trail)[..., :1]
        expected.append(last)
    np.testing.assert_allclose(model.forecast(frames, 3), np.stack(expected[3:], 1), atol=1e-4)


@pytest.mark.parametrize("prediction", ["frame", "motion"])
def test_frames_of_any_size(prediction):
    """Far from the border, what is moved by whole patches is predicted as before, but moved."""
    model = untraced(small_model(prediction=prediction, **FREE).at_size(80, 80))
    frames = np.random.default_rng(0).random((1, 2, 80, 80, 2), np.float32)
    shifted = np.roll(frames, (2, 4), axis=(2, 3))
    inside = np.s_[:, :, 32:-32, 32:-32]
    expected = np.roll(model.forecast(frames, 2), (2, 4), axis=(2, 3))[inside]
    np.testing.assert_allclose(model.forecast(shifted, 2)[inside], expected, atol=1e-5)
    assert expected.std() > 0.01


@pytest.mark.parametrize("changes", [{"layer_norm": False}, {"peephole": "channel"}])
def test_networks_of_one_size(changes):
    with pytest.raises(MimError, match="--peephole=channel"):
        small_model(**changes).at_size(24, 36)


@pytest.mark.parametrize("changes", [{}, {"model_name": "mim_star", "prediction": "flow"}])
def test_channels_apart_are_sequences_of_one_channel(changes):
    model = small_model(channels_apart=True, **changes)
    one = build_model(small_config(img_channel=1, **changes))
    one.step.set_weights(model.step.get_weights())
    frames = random_frames(2, 5)
    flags = np.float32([[1, 0], [0, 1]])
    expected = np.concatenate(
        [one({"frames": frames[..., c : c + 1], "flags": flags}) for c in range(2)], axis=-1
    )
    np.testing.assert_allclose(model({"frames": frames, "flags": flags}), expected, atol=1e-5)
    assert np.ptp(expected) > 0.1


def test_sizes_that_no_patch_divides():
    model = small_model(img_height=7, img_width=11, pad=True, **FREE)
    frames = random_frames(2, 5)[:, :, :7, :11]
    model.step.layers[-1].trainable = False
    whole = model.at_size(8, 12)
    assert [each.trainable for each in whole.step.layers].count(False) == 1
    reflected = np.pad(frames, [(0, 0), (0, 0), (0, 1), (0, 1), (0, 0)], mode="reflect")
    expected = whole(reflected)[:, :1, :7, :11]
    np.testing.assert_allclose(model(frames)[:, :1], expected, atol=1e-6)
