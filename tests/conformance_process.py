"""Loads saved models in a process of its own and writes what they predict.

    python conformance_process.py FOLDER RESULT.npz

FOLDER has NAME.h5, NAME.keras for every network, and frames.npy.
"""

import os
import sys
from pathlib import Path

if os.environ["KERAS_BACKEND"] == "jax":
    sys.modules["tensorflow"] = None

import keras
import numpy as np

import mim_tf

folder, frames = Path(sys.argv[1]), np.load(Path(sys.argv[1]) / "frames.npy")
predictions = {}
for path in sorted(folder.glob("*.h5")):
    model = mim_tf.load_model(path)
    predictions[path.name] = np.asarray(model(frames))
# Building a network takes JAX long; once is enough.
for path in sorted(folder.glob("*.keras")) if keras.backend.backend() == "tensorflow" else ():
    predictions[path.name] = np.asarray(keras.models.load_model(path)(frames))
model = mim_tf.load_model(folder / "mim.h5")
predictions["forecast"] = mim_tf.predict(model, frames[:, :2], 3, batch_size=2)
np.savez(sys.argv[2], **predictions)
