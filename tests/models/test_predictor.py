import dataclasses
import re
import shutil

import keras
import numpy as np
import pytest

from mim_tf import MimError, VideoPredictor, build_model, load_model, predict, register_network
from mim_tf.training.compile import HalfSquaredError, WarmupStableDecay, half_squared_error
from mim_tf.training.optimizers import Muon
from mim_tf.values.scale import LinearScale
from mim_tf.weights import load_weights, save_weights, stored_config
from tests.models.small_models import random_frames, small_config, small_model, step_by_step


@pytest.fixture(scope="module")
def model():
    return small_model()


def assert_same(got, expected):
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5)


def test_every_next_frame_is_predicted(model):
    assert model(random_frames(3, 5)).shape == (3, 4, 8, 12, 2)
    assert model(random_frames(1, 7)).shape == (1, 6, 8, 12, 2)


@pytest.mark.parametrize(("length", "horizon"), [(1, 1), (1, 7), (3, 1), (3, 7)])
def test_any_context_and_horizon_give_what_steps_by_hand_give(model, length, horizon):
    context = random_frames(2, length)
    got = predict(model, context, horizon)
    assert got.shape == (2, horizon, 8, 12, 2)
    assert got.dtype == np.float32
    assert_same(got, step_by_step(model, context, horizon))


def test_predict_equals_the_forecast_of_the_model(model):
    frames = random_frames(2, 5)
    assert_same(predict(model, frames[:, :2], 3), model(frames)[:, -3:])


def test_frames_after_the_context_are_not_looked_at(model):
    frames = random_frames(2, 5)
    others = frames.copy()
    others[:, 2:] = random_frames(2, 3, seed=1)
    np.testing.assert_array_equal(model(frames), model(others))
    # And the context is: otherwise the above says nothing.
    others[:, 1] = 0
    assert np.abs(np.asarray(model(frames) - model(others))[:, 1:]).max() > 1e-2


def test_flag_gives_the_true_frame_to_its_own_step_and_sample(model):
    frames = random_frames(2, 5)
    without = np.asarray(model(frames))
    flags = np.array([[0, 1], [0, 0]], np.float32)
    got = np.asarray(model({"frames": frames, "flags": flags}))
    assert_same(got[:, :3], without[:, :3])
    assert_same(got[1], without[1])
    assert np.abs(got[0, 3] - without[0, 3]).max() > 1e-2


def test_levels_are_the_same_as_their_255th_parts(model):
    levels = np.random.default_rng(0).integers(0, 256, (2, 2, 8, 12, 2), dtype=np.uint8)
    assert_same(predict(model, levels, 3), predict(model, levels / 255, 3))


def test_levels_are_refused_where_frames_do_not_end_at_0_and_1():
    model = small_model(scale=LinearScale("K", 250.0, 300.0, clipped=False))
    words = r"received uint8\. Give .*config\.scale\.to_unit\(values\), .*scale\.to_physical\("
    with pytest.raises(MimError, match=words):
        predict(model, np.uint8(random_frames(1, 2) * 255), 1)


def test_ragged_batches_are_predicted_like_one(model):
    context = random_frames(5, 2)
    assert_same(predict(model, context, 3, batch_size=2), model.forecast(context))


def test_forecast_depends_on_neither_neighbours_nor_earlier_calls(model):
    context = random_frames(3, 2)
    alone = predict(model, context[1:2], 3)
    predict(model, random_frames(3, 2, seed=1), 3)
    among = context[[0, 1]]
    among[0] = 1
    assert_same(predict(model, among, 3)[1:], alone)
    np.testing.assert_array_equal(predict(model, context[1:2], 3), alone)


def test_forecast_is_not_clipped(model):
    bias = model.step.get_layer("to_pixels").bias
    before = np.asarray(bias)
    bias.assign([-9.0] * 4 + [9.0] * 4)
    forecast = predict(model, random_frames(1, 2), 3)
    bias.assign(before)
    assert forecast.min() < 0
    assert forecast.max() > 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"img_height": 9}, "patch_size 2 must divide .* 9 x 12"),
        ({"img_width": 13}, "patch_size 2 must divide .* 8 x 13"),
        ({"num_hidden": (3, 4)}, r"num_hidden must be the same in every layer.*\(3, 4\)"),
        ({"num_hidden": ()}, r"num_hidden .*\(\)"),
        ({"model_name": "mimm"}, "model_name must be one of: .*mim.*'mimm'"),
        ({"filter_size": 4}, "filter_size must be odd, received 4"),
        ({"stride": 2}, "stride must be 1, received 2"),
        ({"total_length": 2}, r"total_length \(2\) .*input_length \(2\)"),
        ({"input_length": 0}, "input_length must be at least 1, received 0"),
    ],
)
def test_impossible_networks_are_refused(changes, words):
    with pytest.raises(MimError, match=words):
        build_model(small_config(**changes))


@pytest.mark.parametrize(
    "shape",
    [(1, 5, 12, 8, 2), (1, 5, 8, 12, 1), (1, 2, 8, 12, 2), (5, 8, 12, 2), (1, 5, 4, 6, 8)],
)
def test_frames_of_another_shape_are_refused(model, shape):
    with pytest.raises(MimError, match=rf"T, 8, 12, 2\].*at least 3, .*{re.escape(str(shape))}"):
        model(np.zeros(shape, np.float32))


@pytest.mark.parametrize("of_keras", ["__call__", "predict", "predict_on_batch"])
def test_what_is_wrong_is_one_sentence_and_names_the_way_to_predict(model, of_keras):
    with pytest.raises(MimError) as raised:
        getattr(model, of_keras)(random_frames(1, 2))
    assert str(raised.value) == (
        "frames must be [B, T, 8, 12, 2] (B, T, H, W, C) with T at least 3, one more than the "
        "context; received (1, 2, 8, 12, 2). To predict what follows them, call "
        "mim_tf.predict(model, frames, horizon)."
    )


def test_the_model_is_a_layer_of_others(model):
    frames = keras.Input((5, 8, 12, 2))
    last = keras.Model(frames, model(frames)[:, -1])
    assert last.output_shape == (None, 8, 12, 2)
    assert_same(last(random_frames(2, 5)), model(random_frames(2, 5))[:, -1])
    any_length = model({"frames": keras.Input((None, 8, 12, 2)), "flags": keras.Input((None,))})
    assert any_length.shape == (None, None, 8, 12, 2)
    with pytest.raises(MimError, match=r"^frames must be .* received \(None, 5, 8, 12, 1\)\.$"):
        model(keras.Input((5, 8, 12, 1)))


@pytest.mark.parametrize(
    "shape",
    [(1, 2, 12, 8, 2), (2, 8, 12, 2), (1, 0, 8, 12, 2), (0, 2, 8, 12, 2)],
)
def test_context_of_another_shape_is_refused(model, shape):
    with pytest.raises(MimError, match=rf"T, 8, 12, 2\].*received {re.escape(str(shape))}"):
        predict(model, np.zeros(shape, np.float32), 1)


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.25, 1.25, 255])
def test_values_outside_the_unit_interval_are_refused(model, value):
    context = random_frames(2, 2)
    context[1, 1, 0, 0, 0] = value
    with pytest.raises(MimError, match=rf"finite and in \[0, 1\].*received .*{value}"):
        predict(model, context, 1)


@pytest.mark.parametrize("horizon", [0, -1])
def test_nothing_to_predict_is_refused(model, horizon):
    with pytest.raises(MimError, match=f"horizon must be at least 1, received {horizon}"):
        predict(model, random_frames(1, 2), horizon)


@pytest.mark.slow
def test_keras_file_holds_the_whole_model(model, tmp_path):
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    assert type(copy) is VideoPredictor
    assert copy.config == model.config
    frames = random_frames(2, 5)
    np.testing.assert_array_equal(copy(frames), model(frames))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model after an epoch, and the files of `ModelCheckpoint`, from before."""
    folder = tmp_path_factory.mktemp("trained")
    model = small_model(num_hidden=(2, 2), total_length=4)
    metric = keras.metrics.MeanMetricWrapper(half_squared_error, name="loss_per_sequence")
    optimizer = Muon(WarmupStableDecay(1e-2, 1, 10), gate_filters=2, use_ema=True)
    model.compile(optimizer, HalfSquaredError(), metrics=[metric], run_eagerly=True)
    checkpoints = [
        keras.callbacks.ModelCheckpoint(folder / "epoch.keras"),
        keras.callbacks.ModelCheckpoint(folder / "epoch.weights.h5", save_weights_only=True),
    ]
    epoch(model, callbacks=checkpoints)
    before = predict(model, random_frames(1, 2), 2)
    return folder, before, epoch(model), model


def epoch(model, **settings):
    """Mean losses of an epoch, and metrics."""
    frames = random_frames(2, 4)
    settings |= {"batch_size": 1, "shuffle": False, "verbose": 0}
    return model.fit(frames, frames[:, 1:], **settings).history


@pytest.mark.slow
def test_fit_goes_on_from_a_keras_file(trained):
    folder, before, losses, model = trained
    copy = keras.saving.load_model(folder / "epoch.keras")
    assert_same(predict(copy, random_frames(1, 2), 2), before)
    got = epoch(copy)
    assert got.keys() == {"loss", "loss_per_sequence"}
    for name, values in losses.items():
        np.testing.assert_allclose(got[name], values, rtol=1e-6)
    for ours, expected in zip(copy.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["epoch.keras", "epoch.weights.h5"])
def test_files_of_model_checkpoint_tell_their_configuration(trained, name):
    folder, before, _, model = trained
    copy = load_model(folder / name)
    assert copy.config == model.config
    assert_same(predict(copy, random_frames(1, 2), 2), before)


def test_xla_is_chosen_anew_where_a_file_is_loaded():
    model = build_model(small_config())
    model.compile("sgd", "mse", jit_compile=True)
    copy = VideoPredictor.from_config(model.get_config())
    copy.compile_from_config(model.get_compile_config())
    assert not copy.jit_compile
    assert copy.optimizer.built


def test_a_file_that_keras_may_not_replace_stays_as_it_is(model, tmp_path, monkeypatch):
    path = tmp_path / "a.weights.h5"
    path.write_bytes(b"another")
    monkeypatch.setattr("builtins.input", lambda *_: "n")
    model.save_weights(path, overwrite=False)
    assert path.read_bytes() == b"another"


def test_a_file_that_keras_may_replace_tells_its_configuration(model, tmp_path, monkeypatch):
    path = tmp_path / "a.weights.h5"
    path.write_bytes(b"another")
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    model.save_weights(path, overwrite=False)
    assert stored_config(path) == model.config


def test_summary_has_shapes_and_every_parameter_once(model):
    lines = []
    model.summary(print_fn=lines.append, line_length=76)
    text = "\n".join(lines)
    count = f"{model.count_params():,}"
    assert f"Total params: {count} " in text
    assert re.findall(rf"│ +{count} │", text) == [f"│ {count:>13} │"]
    assert "mim_block_2" in text
    assert "?" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_configuration_holds_every_setting():
    model = VideoPredictor(small_config(layer_norm=False), rematerialise=True)
    copy = VideoPredictor.from_config(model.get_config())
    assert dataclasses.asdict(copy.config) == dataclasses.asdict(model.config)
    assert copy.rematerialise


@pytest.mark.slow
def test_weights_file_gives_the_weights_to_another_model(model, tmp_path):
    save_weights(model, tmp_path / "a.weights.h5")
    copy = build_model(model.config)
    frames = random_frames(2, 5)
    assert np.abs(np.asarray(copy(frames) - model(frames))).max() > 1e-2
    load_weights(copy, tmp_path / "a.weights.h5")
    np.testing.assert_array_equal(copy(frames), model(frames))


def test_network_of_ones_own_is_built_by_its_name():
    @register_network("twice_the_frame")
    def build(config):
        frame = keras.Input(config.frame_shape, name="frame")
        count = keras.Input((1, 1, 1), name="count")
        return keras.Model([frame, count], [2 * frame, count + 1])

    model = build_model(small_config(model_name="twice_the_frame"))
    context = random_frames(1, 2)
    powers = np.array([2, 4, 8]).reshape(1, 3, 1, 1, 1)
    assert_same(predict(model, context, 3), context[:, 1:] * powers)


def test_step_makes_a_graph_with_its_cells(model):
    graph = keras.utils.model_to_dot(model.step, show_layer_names=True, show_shapes=True)
    for name in ("frame", "st_lstm_1", "mim_n_2", "mim_block_2", "to_pixels"):
        assert name in graph.to_string()


@pytest.mark.skipif(not shutil.which("dot"), reason="Graphviz' dot draws it")
def test_step_is_drawn(model, tmp_path):
    keras.utils.plot_model(model.step, tmp_path / "step.png", show_shapes=True)
    assert (tmp_path / "step.png").read_bytes()[:4] == b"\x89PNG"


def test_the_export_of_keras_names_ours(model, tmp_path):
    with pytest.raises(MimError, match=r"write_saved_model\(model, folder, horizon\)"):
        model.export(tmp_path / "served")
