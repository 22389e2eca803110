"""A tiny network and tiny data for several test folders."""

import os

# The order of additions, and so the last bit of a result, depends on the number of threads an
# operation has. run.py chooses it by the machine; here all processes of a test have the same.
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


@pytest.fixture(scope="session")
def tiny_config():
    return TINY


@pytest.fixture
def tiny_model():
    keras.utils.set_random_seed(0)
    return mim_tf.build_model(TINY)


@pytest.fixture(scope="session")
def tiny_frames():
    return np.random.default_rng(0).random((5, TINY.total_length, 32, 32, 1), np.float32)
