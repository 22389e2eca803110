"""What several test folders share: tiny networks, tiny data, the stored results of 2019."""

import dataclasses
import json
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import pytest

import mim_tf

GOLDEN = Path(__file__).parent / "golden"
TINY = mim_tf.ModelConfig(
    img_width=32,
    patch_size=8,
    num_hidden=(4, 4),
    filter_size=3,
    input_length=3,
    total_length=6,
    updates_per_iteration=2,
)


@dataclasses.dataclass
class Golden:
    """What a 2019 graph computed; see `golden/README.md`."""

    config: mim_tf.ModelConfig
    arrays: dict[str, np.ndarray]

    @property
    def weights(self):
        return {n.removeprefix("w0:"): a for n, a in self.arrays.items() if n.startswith("w0:")}


def load_golden(name: str) -> Golden:
    case = json.loads((GOLDEN / name / "case.json").read_text())
    fields = "img_width patch_size img_channel filter_size total_length input_length layer_norm"
    config = mim_tf.ModelConfig(
        model_name=case["model"],
        num_hidden=case["num_hidden"].split(","),
        **{field: case[field] for field in fields.split()},
    )
    with np.load(GOLDEN / name / "case.npz") as arrays:
        return Golden(config, dict(arrays))


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
