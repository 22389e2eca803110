"""What every network can do, in one sweep; frames are not square."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import mim_tf

pytestmark = pytest.mark.slow

NETWORKS = ["mim", "mim_star", "predrnn", "predrnn_pp", "convlstm_net"]
SETTINGS = {
    "img_width": 24,
    "img_height": 16,
    "img_channel": 2,
    "patch_size": 4,
    "num_hidden": (4, 4),
    "filter_size": 3,
    "input_length": 2,
    "total_length": 5,
}
PROCESS = Path(__file__).parent / "conformance_process.py"


@pytest.fixture(scope="module")
def frames():
    return np.random.default_rng(0).random((3, 5, 16, 24, 2), np.float32)


@pytest.fixture(scope="module")
def models():
    keras.utils.set_random_seed(0)
    models = {
        name: mim_tf.build_model(mim_tf.ModelConfig(model_name=name, **SETTINGS))
        for name in NETWORKS
    }
    random = np.random.default_rng(1)
    for model in models.values():
        for weight in model.trainable_variables:
            if weight.name != "kernel":  # most of them zeros and ones, which hide mistakes
                weight.assign(weight + 0.1 * random.standard_normal(weight.shape))
    return models


@pytest.fixture(scope="module")
def expected(models, frames):
    return {name: np.asarray(model(frames)) for name, model in models.items()}


@pytest.fixture(scope="module")
def loaded(models, frames, jax_variables, tmp_path_factory):
    """Backend -> file -> predictions, of fresh processes."""
    folder = tmp_path_factory.mktemp("saved")
    np.save(folder / "frames.npy", frames)
    for name, model in models.items():
        mim_tf.save_weights(model, folder / f"{name}.h5")
        model.save(folder / f"{name}.keras")
    processes = {
        backend: subprocess.Popen(
            [sys.executable, PROCESS, folder, folder / f"{backend}.npz"],
            env=jax_variables | {"KERAS_BACKEND": backend, "PYTHONPATH": str(PROCESS.parents[1])},
        )
        for backend in ("tensorflow", "jax")
    }
    assert [process.wait() for process in processes.values()] == [0, 0]
    return {backend: np.load(folder / f"{backend}.npz") for backend in processes}


@pytest.mark.parametrize(
    ("backend", "suffix"), [("tensorflow", "h5"), ("tensorflow", "keras"), ("jax", "h5")]
)
@pytest.mark.parametrize("name", NETWORKS)
def test_files_are_loaded_by_a_fresh_process(name, backend, suffix, loaded, expected):
    predictions = loaded[backend][f"{name}.{suffix}"]
    np.testing.assert_allclose(predictions, expected[name], atol=1e-5)


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_forecasts_of_a_fresh_process(backend, loaded, expected):
    np.testing.assert_allclose(loaded[backend]["forecast"], expected["mim"][:, 1:], atol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_forecast_is_what_the_model_predicts_after_the_context(name, models, frames, expected):
    forecast = mim_tf.predict(models[name], frames[:, :2], horizon=3)
    assert forecast.shape == (3, 3, 16, 24, 2)
    np.testing.assert_allclose(forecast, expected[name][:, 1:], atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_bfloat16_policy(name, models, frames, expected):
    model = mim_tf.VideoPredictor(models[name].config, dtype="mixed_bfloat16")
    assert {weight.dtype for weight in model.trainable_variables} == {"float32"}
    model.set_weights(models[name].get_weights())
    difference = np.asarray(model(frames), np.float32) - expected[name]
    # bfloat16 has 8 bits: a rounding of 0.4 per cent in every layer and at every frame.
    assert 0 < np.abs(difference).mean() < 0.05 * np.abs(expected[name]).mean()
