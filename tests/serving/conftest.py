"""A tiny model, exported once, and what a process without Keras and mim_tf made of it."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import imageio.v3 as imageio
import keras
import numpy as np
import pytest

import mim_tf
from mim_tf.serving import write_saved_model

CONFIG = mim_tf.ModelConfig(
    img_width=16,
    img_height=8,
    img_channel=3,
    patch_size=4,
    num_hidden=(4, 4),
    filter_size=3,
    layer_norm=False,  # half of the operations to trace; small exports elsewhere have it
    input_length=3,
    total_length=5,
)
HORIZON = 4


def build(**changes):
    """Return a model of `CONFIG` with changes."""
    keras.utils.set_random_seed(0)
    model = mim_tf.build_model(dataclasses.replace(CONFIG, **changes))
    # Predictions of initial weights are near 0, half of them clipped.
    model.step.get_layer("to_pixels").weights[-1].assign_add(np.full(48, 0.5))
    return model


@pytest.fixture(scope="session")
def model():
    return build()


@pytest.fixture(scope="session")
def frames():
    levels = np.random.default_rng(0).integers(0, 256, (2, 5, 8, 16, 3), np.uint8)
    levels[0, 1] = 128  # One colour, which a JPEG keeps.
    return levels


@pytest.fixture(scope="session")
def pictures(frames):
    """`frames` as PNGs but for one JPEG, nested lists of bytes."""
    formats = {(0, 1): ".jpg"}
    return [
        [
            imageio.imwrite("<bytes>", frame, extension=formats.get((b, t), ".png"))
            for t, frame in enumerate(sequence)
        ]
        for b, sequence in enumerate(frames)
    ]


@pytest.fixture(scope="session")
def expected(model, frames):
    """What the Keras model predicts, by the length of the context."""
    return {
        length: mim_tf.predict(model, frames[:, :length], HORIZON).clip(0, 1)
        for length in (1, 3, 5)
    }


@pytest.fixture(scope="session")
def version(model, tmp_path_factory):
    """The folder of the exported version."""
    folder = tmp_path_factory.mktemp("served")
    metrics = folder / "metrics.json"
    metrics.write_text('{"mse": 44.2}')
    return write_saved_model(model, folder / "model", HORIZON, metrics=metrics)


@pytest.fixture(scope="session")
def consumed(version, frames, pictures, tmp_path_factory):
    """Arrays and messages that `consumer.py` got from the exported version."""
    folder = tmp_path_factory.mktemp("consumer")
    np.save(folder / "frames.npy", frames)
    for b, sequence in enumerate(pictures):
        for t, picture in enumerate(sequence):
            (folder / f"{b}-{t}").write_bytes(picture)
    # None in sys.modules makes an import fail.
    start = (
        "import runpy, sys; sys.modules['keras'] = sys.modules['mim_tf'] = None; "
        f"runpy.run_path({str(Path(__file__).with_name('consumer.py'))!r})"
    )
    subprocess.run([sys.executable, "-I", "-c", start, version, folder], check=True)
    with np.load(folder / "arrays.npz") as arrays:
        return dict(arrays), json.loads((folder / "messages.json").read_text())
