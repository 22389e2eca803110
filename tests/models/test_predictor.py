"""The Keras model around a network: forecasts, training, files, and settings of Keras."""

import dataclasses
import re

import keras
import numpy as np
import pytest

from mim_tf import MimError, VideoPredictor, build_model, load_model, predict
from mim_tf.layers import GateConvolution
from mim_tf.models.machine import check_settings
from mim_tf.runtime.keras_private import layers_inside
from mim_tf.training.losses import HalfSquaredError, half_squared_error
from mim_tf.training.optimizers import (
    AdamInsideRoot,
    Muon,
    WarmupStableDecay,
    compile_for_training,
)
from mim_tf.values.scale import LinearScale
from mim_tf.weights import stored_config
from tests.models.small_models import (
    random_frames,
    shared_model,
    small_config,
    small_model,
    step_by_step,
    untraced,
)


@pytest.fixture
def model():
    return shared_model()


def assert_same(got, expected):
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("length", "horizon"), [(1, 1), (1, 7), (3, 1), (3, 7)])
def test_any_context_and_horizon_equal_single_steps(model, length, horizon):
    context = random_frames(2, length)
    got = predict(model, context, horizon)
    assert got.shape == (2, horizon, 8, 12, 2)
    assert got.dtype == np.float32
    assert_same(got, step_by_step(model, context, horizon))


def test_levels_equal_their_255th_parts(model):
    levels = np.random.default_rng(0).integers(0, 256, (2, 2, 8, 12, 2), dtype=np.uint8)
    assert_same(predict(model, levels, 3), predict(model, levels / 255, 3))


def test_a_forecast_is_not_clipped(model):
    model.step.get_layer("to_pixels").bias.assign([-9.0] * 4 + [9.0] * 4)
    forecast = predict(model, random_frames(1, 2), 3)
    assert forecast.min() < 0
    assert forecast.max() > 1


def zeros(*shape):
    return np.zeros(shape, np.float32)


def with_value(value):
    return np.where(random_frames(2, 2) == random_frames(2, 2).max(), value, random_frames(2, 2))


LEVELS = np.uint8(random_frames(1, 4) * 255)
ALONE = r"mim_tf\.predict"
# What is done with a model, and what the error names.
REFUSED = [
    *(
        (lambda model, shape=shape: model(zeros(*shape)), re.escape(str(shape)))
        for shape in (
            *((1, 5, 12, 8, 2), (1, 5, 8, 12, 1), (1, 2, 8, 12, 2)),
            *((5, 8, 12, 2), (1, 5, 4, 6, 8)),
        )
    ),
    *(
        (lambda model, shape=shape: predict(model, zeros(*shape), 1), re.escape(str(shape)))
        for shape in ((1, 2, 12, 8, 2), (2, 8, 12, 2), (1, 0, 8, 12, 2), (0, 2, 8, 12, 2))
    ),
    *(
        (lambda model, value=value: predict(model, with_value(value), 1), str(value))
        for value in (np.nan, np.inf, -0.25, 1.25, 255.0)
    ),
    (lambda model: model(zeros(1, 5, 2, 8, 12)), r"np\.moveaxis"),
    (lambda model: predict(model, zeros(1, 2, 2, 8, 12), 1), r"np\.moveaxis"),
    (lambda model: predict(model, np.ma.masked_less(random_frames(1, 2), 0.5), 1), "masked"),
    (lambda model: predict(model, random_frames(1, 2), 0), "horizon"),
    (lambda model: predict(model, random_frames(1, 2), -1), "horizon"),
    (lambda model: predict(model, random_frames(1, 2), 2.0), "horizon"),
    (lambda model: predict(model, random_frames(1, 2), 1, 0), "batch_size"),
    (lambda model: model(random_frames(1, 2)), ALONE),
    (lambda model: model.predict(random_frames(1, 2)), ALONE),
    (lambda model: model.predict_on_batch(random_frames(1, 2)), ALONE),
    (lambda model: model(LEVELS), "uint8"),
    (lambda model: model.export("served"), "write_saved_model"),
    (lambda model: model.fit(LEVELS, LEVELS[:, 1:], class_weight={0: 2.0}), "sample_weight"),
    (lambda model: predict(in_kelvin(), LEVELS, 1), r"to_unit\(values\)"),
    (lambda model: in_kelvin()(LEVELS), r"to_unit\(values\)"),
]


def in_kelvin():
    return shared_model(scale=LinearScale("K", 250.0, 300.0, clipped=False))


@pytest.mark.parametrize(("use", "named"), REFUSED)
def test_what_the_model_cannot_use_is_refused(model, use, named):
    with pytest.raises(MimError, match=named) as raised:
        use(model)
    assert "\n" not in str(raised.value)  # Keras adds no lines of its own


def test_the_model_is_a_layer_of_others(model):
    frames = keras.Input((5, 8, 12, 2))
    last = keras.Model(frames, model(frames)[:, -1])
    assert last.output_shape == (None, 8, 12, 2)
    assert_same(last(random_frames(2, 5)), model(random_frames(2, 5))[:, -1])
    assert_same(model({"frames": random_frames(2, 5)}), model(random_frames(2, 5)))
    any_length = model({"frames": keras.Input((None, 8, 12, 2)), "flags": keras.Input((None,))})
    assert any_length.shape == (None, None, 8, 12, 2)
    with pytest.raises(MimError, match=r"^Expected frames .*\(None, 5, 8, 12, 1\)\.$"):
        model(keras.Input((5, 8, 12, 1)))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model after two epochs, the losses of the second, and files from before it."""
    folder = tmp_path_factory.mktemp("trained")
    model = small_model(num_hidden=(2, 2), total_length=3)
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
    frames = random_frames(2, 3)
    settings |= {"batch_size": 1, "shuffle": False, "verbose": 0}
    return model.fit(frames, frames[:, 1:], **settings).history


@pytest.mark.slow
def test_fit_goes_on_from_a_keras_file(trained):
    folder, before, losses, model = trained
    copy = keras.saving.load_model(folder / "epoch.keras")
    assert type(copy) is VideoPredictor
    assert copy.config == model.config
    assert_same(predict(copy, random_frames(1, 2), 2), before)
    got = epoch(copy)
    assert got.keys() == {"loss", "loss_per_sequence"}
    for name, values in losses.items():
        np.testing.assert_allclose(got[name], values, rtol=1e-6)
    for ours, expected in zip(copy.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.slow
def test_weights_of_model_checkpoint_contain_their_configuration(trained):
    folder, before, _, model = trained
    copy = load_model(folder / "epoch.weights.h5")
    assert copy.config == model.config
    assert_same(predict(copy, random_frames(1, 2), 2), before)


def test_xla_is_chosen_anew_when_a_file_is_loaded():
    model = build_model(small_config())
    model.compile("sgd", "mse", jit_compile=True)
    copy = VideoPredictor.from_config(model.get_config())
    copy.compile_from_config(model.get_compile_config())
    assert not copy.jit_compile
    assert copy.optimizer.built


@pytest.mark.parametrize(
    "changes",
    [
        {"prediction": "change"},
        {"patch_size": 1, "img_channel": 8, "img_width": 6, "img_height": 4},
        {"pad": True},
    ],
)
def test_keras_loads_no_weights_of_another_network_of_the_same_shapes(changes, tmp_path):
    path = tmp_path / "a.weights.h5"
    network = {"model_name": "convlstm_net", "layer_norm": False}
    build_model(small_config(**network)).save_weights(path)
    other = build_model(small_config(**network, **changes))
    before = other.get_weights()
    with pytest.raises(MimError, match=r"a\.weights\.h5"):
        other.load_weights(path)
    np.testing.assert_equal(other.get_weights(), before)
    other.load_weights(path, skip_mismatch=True)
    with pytest.raises(MimError, match=r"a\.keras"):
        other.load_weights(tmp_path / "a.keras")


@pytest.mark.parametrize("answer", ["n", "y"])
def test_keras_asks_before_it_replaces_a_file(model, tmp_path, monkeypatch, answer):
    path = tmp_path / "a.weights.h5"
    path.write_bytes(b"another")
    monkeypatch.setattr("builtins.input", lambda *_: answer)
    model.save_weights(path, overwrite=False)
    if answer == "n":
        assert path.read_bytes() == b"another"
    else:
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


def test_configuration_contains_every_setting(tmp_path):
    model = VideoPredictor(small_config(layer_norm=False), rematerialise=True)
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    assert dataclasses.asdict(copy.config) == dataclasses.asdict(model.config)
    assert copy.rematerialise


def test_layers_that_are_not_trained_stay_so_in_a_file(tmp_path):
    model = build_model(small_config())
    model.step.trainable = False
    inside = [each for each in layers_inside(model.step) if isinstance(each, GateConvolution)]
    inside[-2].trainable = inside[-1].trainable = True
    trained = [weight.trainable for weight in model.weights]
    assert 2 < sum(trained) < len(trained)
    compile_for_training(model)
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    for each in (copy, load_model(tmp_path / "model.keras")):
        assert [weight.trainable for weight in each.weights] == trained
    assert len(copy.optimizer.variables) == len(model.optimizer.variables)


@pytest.fixture
def keras_settings():
    """Restores the settings of the process."""
    policy, form = keras.config.dtype_policy(), keras.config.image_data_format()
    yield
    keras.config.set_dtype_policy(policy)
    keras.config.set_image_data_format(form)


@pytest.mark.slow
@pytest.mark.usefixtures("keras_settings")
@pytest.mark.parametrize(
    ("policy", "kept", "computed"),
    [
        ("mixed_bfloat16", "float32", "bfloat16"),
        ("mixed_float16", "float32", "float16"),
        ("float64", "float64", "float64"),
    ],
)
def test_a_network_is_trained_and_saved_with_its_policy(policy, kept, computed, tmp_path):
    keras.utils.set_random_seed(0)
    frames = random_frames(2, 4)
    network = {"model_name": "convlstm_net", "num_hidden": (3,)}
    plain = build_model(small_config(**network, total_length=4))
    keras.config.set_dtype_policy(policy)
    model = untraced(build_model(plain.config))
    model.set_weights(plain.get_weights())
    np.testing.assert_allclose(model(frames), plain(frames), rtol=0, atol=0.05)
    assert model.step.get_layer("conv_lstm_1").compute_dtype == computed
    assert {weight.dtype for weight in model.weights} == {kept}
    optimizer = AdamInsideRoot(1e-3, use_ema=True)
    if policy == "mixed_float16":  # Keras would first skip a dozen updates to find the scale
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=2.0)
    model.compile(optimizer=optimizer, loss=HalfSquaredError(), run_eagerly=True)
    losses = model.fit(frames, frames[:, 1:], epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    forecast = model.forecast(frames[:, :2])
    assert forecast.dtype == kept

    model.save(tmp_path / "model.keras")
    keras.config.set_dtype_policy("float32")
    copy = untraced(keras.saving.load_model(tmp_path / "model.keras"))
    assert copy.dtype_policy.name == policy
    assert keras.config.dtype_policy().name == "float32"
    np.testing.assert_array_equal(copy.forecast(frames[:, :2]), forecast)


@pytest.mark.usefixtures("keras_settings")
def test_settings_of_keras_that_no_network_supports_are_refused(monkeypatch):
    keras.config.set_dtype_policy("bfloat16")
    with pytest.raises(MimError, match="bfloat16"):
        build_model(small_config())
    keras.config.set_dtype_policy("float32")
    keras.config.set_image_data_format("channels_first")
    with pytest.raises(MimError, match="channels_first"):
        build_model(small_config())
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(MimError, match="KERAS_BACKEND"):
        check_settings(keras.config.dtype_policy())


def after_updates(rematerialise):
    """Losses, weights and predictions after two updates with scheduled sampling."""
    keras.utils.set_random_seed(0)
    frames = random_frames(3, 4)
    network = {"model_name": "predrnn", "num_hidden": (3,), "precision": "bfloat16"}
    small = small_config(**network, total_length=4)
    model = build_model(small, rematerialise)
    model.step.layers[-2].trainable = False
    # Adam would make a large step of the last bit of a gradient that is almost zero.
    model.compile(keras.optimizers.SGD(1e-2), HalfSquaredError())
    inputs = {"frames": frames, "flags": np.float32([[1], [0], [0]])}
    losses = [model.train_on_batch(inputs, frames[:, 1:]) for _ in range(2)]
    return losses, model.get_weights(), model.predict_on_batch(frames)


@pytest.mark.slow
def test_rematerialised_training_is_the_same(monkeypatch):
    made, remat = [], keras.remat
    monkeypatch.setattr(keras, "remat", lambda function: made.append(1) or remat(function))
    keras.tree.map_structure(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5),
        after_updates(rematerialise=False),
        after_updates(rematerialise=True),
    )
    assert len(made) == 1  # in training; a prediction needs no gradient
