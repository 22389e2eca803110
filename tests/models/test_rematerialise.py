"""Computing a time step twice changes what is kept for the gradient, and nothing else."""

import keras
import numpy as np
import pytest

from mim_tf import build_model
from mim_tf.training.compile import HalfSquaredError
from tests.models.small_models import random_frames, small_config

FRAMES = random_frames(3, 5)


def after_updates(rematerialise):
    """Losses, weights and predictions after two updates with scheduled sampling."""
    keras.utils.set_random_seed(0)
    config = small_config(num_hidden=(3, 3), precision="bfloat16")
    model = build_model(config, rematerialise)
    # Not Adam, which makes a large step of the last bit of a gradient that is almost zero.
    model.compile(keras.optimizers.SGD(1e-2), HalfSquaredError())
    inputs = {"frames": FRAMES, "flags": np.float32([[1, 0], [0, 1], [0, 0]])}
    losses = [model.train_on_batch(inputs, FRAMES[:, 1:]) for _ in range(2)]
    return losses, model.get_weights(), model.predict_on_batch(FRAMES)


@pytest.mark.slow
def test_training_is_the_same(monkeypatch):
    made, remat = [], keras.remat
    monkeypatch.setattr(keras, "remat", lambda function: made.append(1) or remat(function))
    keras.tree.map_structure(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5),
        after_updates(rematerialise=False),
        after_updates(rematerialise=True),
    )
    assert len(made) == 1  # in training; a prediction needs no gradient


def test_it_is_kept_with_the_model(tmp_path):
    model = build_model(small_config(), rematerialise=True)
    model.save(tmp_path / "model.keras")
    assert keras.saving.load_model(tmp_path / "model.keras").rematerialise
