"""What networks make of the settings Keras has for a whole process."""

import keras
import numpy as np
import pytest

from mim_tf import MimError, build_model
from mim_tf.models.predictor import check_settings
from mim_tf.training.compile import HalfSquaredError
from mim_tf.training.optimizers import AdamInsideRoot
from tests.models.small_models import random_frames, small_config


@pytest.fixture(autouse=True)
def as_before():
    policy, form = keras.config.dtype_policy(), keras.config.image_data_format()
    yield
    keras.config.set_dtype_policy(policy)
    keras.config.set_image_data_format(form)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("policy", "kept", "computed"),
    [
        ("mixed_bfloat16", "float32", "bfloat16"),
        ("mixed_float16", "float32", "float16"),
        ("float64", "float64", "float64"),
    ],
)
def test_a_network_is_trained_and_saved_with_its_policy(policy, kept, computed, tmp_path):
    frames = random_frames(2, 4)
    plain = build_model(small_config(total_length=4))
    keras.config.set_dtype_policy(policy)
    model = build_model(plain.config)
    model.set_weights(plain.get_weights())
    np.testing.assert_allclose(model(frames), plain(frames), rtol=0, atol=0.05)
    assert model.step.get_layer("st_lstm_1").compute_dtype == computed
    assert {weight.dtype for weight in model.weights} == {kept}
    optimizer = AdamInsideRoot(1e-3, use_ema=True)
    if policy == "mixed_float16":  # Keras would first leave out a dozen updates, to find the scale
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=2.0)
    model.compile(optimizer=optimizer, loss=HalfSquaredError(), run_eagerly=True)
    losses = model.fit(frames, frames[:, 1:], epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    forecast = model.forecast(frames[:, :2])
    assert forecast.dtype == kept

    model.save(tmp_path / "model.keras")
    keras.config.set_dtype_policy("float32")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    assert copy.dtype_policy.name == policy
    assert keras.config.dtype_policy().name == "float32"
    np.testing.assert_array_equal(copy.forecast(frames[:, :2]), forecast)


def test_weights_in_half_precision_are_refused():
    keras.config.set_dtype_policy("bfloat16")
    with pytest.raises(MimError, match=r"must be float32, mixed_bfloat16, .* received bfloat16"):
        build_model(small_config())


def test_channels_first_are_refused():
    keras.config.set_image_data_format("channels_first")
    with pytest.raises(MimError, match=r"\[B, T, H, W, C\].* received channels_first\. Call keras"):
        build_model(small_config())


def test_other_backends_are_refused(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(MimError, match="TensorFlow or JAX; received KERAS_BACKEND=torch"):
        check_settings(keras.config.dtype_policy())
