"""A tiny network and tiny data for several test folders."""

import gc
import os

# The order of additions, and so the last bit of a result, depends on the number of threads of an
# operation. Commands choose the number by machine; all processes of a test use the same number.
os.environ["TF_NUM_INTRAOP_THREADS"] = "1"

import keras
import numpy as np
import pytest

import mim_tf

TINY = mim_tf.ModelConfig(
    img_width=32,
    patch_size=8,
    num_hidden=(4, 4),
    filter_size=3,
    input_length=3,
    total_length=6,
)


@pytest.fixture(scope="module", autouse=True)
def few_objects_to_search():
    """Leave what is there already, such as TensorFlow, out of each search for garbage."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def in_tmp(tmp_path, monkeypatch):
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def tiny_config():
    return TINY


@pytest.fixture(scope="session")
def built_tiny_model():
    keras.utils.set_random_seed(0)
    model = mim_tf.build_model(TINY)
    return model, model.get_weights()


@pytest.fixture
def tiny_model(built_tiny_model):
    """One model for all tests, with its initial weights: building and tracing take seconds."""
    model, weights = built_tiny_model
    model.set_weights(weights)
    keras.utils.set_random_seed(0)
    return model


@pytest.fixture(scope="session")
def tiny_frames():
    return np.random.default_rng(0).random((5, TINY.total_length, 32, 32, 1), np.float32)


@pytest.fixture(scope="session")
def jax_variables(tmp_path_factory):
    """The environment of a process on JAX."""
    return os.environ | {
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        # Compiling takes longer than what is compiled; what one process compiled others find.
        "XLA_FLAGS": "--xla_backend_optimization_level=0",
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path_factory.mktemp("compiled")),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "0",
    }
