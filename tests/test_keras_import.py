"""What goes with the import of Keras, in processes of their own."""

import re
import subprocess
import sys

import keras
import numpy as np
import pytest

from tests.models.small_models import random_frames, small_model


def python(code, *arguments, **environment):
    """What a program prints, and writes to stderr."""
    program = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(program, capture_output=True, text=True, env=environment or None)
    return done.stdout, done.stderr


LOADED = """
import sys
import mim_tf, keras, numpy as np
model = keras.saving.load_model(sys.argv[1])
print(type(model.optimizer).__name__)
np.save(sys.argv[2], model.forecast(np.load(sys.argv[3])))
"""


@pytest.mark.slow
def test_keras_loads_our_models_and_is_quiet(tmp_path, monkeypatch):
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    model = small_model(num_hidden=(2, 2))
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "context.npy", random_frames(1, 2))
    paths = [tmp_path / name for name in ("model.keras", "forecast.npy", "context.npy")]
    assert python(LOADED, *paths) == ("Adam\n", "")
    expected = model.forecast(random_frames(1, 2))
    np.testing.assert_allclose(np.load(tmp_path / "forecast.npy"), expected, rtol=0, atol=1e-6)


ROOM_FIRST = """
import sys
import {room}
print("keras" in sys.modules, end=" ")
import keras
print(keras.saving.get_registered_object("mim_tf>Muon").__name__, end=" ")
print(keras.saving.get_registered_object("mim_tf>VideoPredictor").__name__)
"""


@pytest.mark.slow
@pytest.mark.parametrize("room", ["mim_tf.layers.cells", "mim_tf.training.optimizers"])
def test_a_room_may_be_the_first_to_import_keras(room):
    assert python(ROOM_FIRST.format(room=room)) == ("True Muon VideoPredictor\n", "")


def test_classes_are_registered_where_keras_was_first():
    assert keras.saving.get_registered_object("mim_tf>VideoPredictor")
    assert keras.saving.get_registered_object("mim_tf>WarmupStableDecay")


WITHOUT = """
import os, sys
missing, os.environ["KERAS_BACKEND"], *program = sys.argv[1:]
for name in missing.split(","):
    sys.modules[name] = None
if not os.environ["KERAS_BACKEND"]:
    del os.environ["KERAS_BACKEND"]
import mim_tf
try:
    import keras
except ImportError as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize(
    ("missing", "backend", "words"),
    [
        (
            "tensorflow",
            "",
            "Keras was to compute with TensorFlow, which cannot be imported (...). JAX is "
            "installed: set KERAS_BACKEND=jax.",
        ),
        (
            "jax,tensorflow",
            "jax",
            "Keras was to compute with JAX, which cannot be imported (...). Install it: pip "
            "install jax.",
        ),
        (
            "torch",
            "torch",
            "mim_tf computes with TensorFlow or JAX; received KERAS_BACKEND=torch. Set "
            "KERAS_BACKEND=tensorflow or KERAS_BACKEND=jax before Keras is imported.",
        ),
    ],
)
def test_a_backend_that_is_not_there_is_told_of(missing, backend, words, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))  # as on a new machine
    stdout, stderr = python(WITHOUT, missing, backend)
    assert re.sub(r"\(.*\)", "(...)", stdout) == f"BackendError {words}\n"
    assert stderr == ""


LATER = """
import sys
import mim_tf, keras
assert "tensorflow" not in sys.modules
import tensorflow
print(tensorflow.__name__)
"""


@pytest.mark.slow
def test_tensorflow_is_quiet_beside_jax(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    assert python(LATER) == ("tensorflow\n", "")
