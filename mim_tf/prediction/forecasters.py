"""Predictions of a SavedModel made by `mim export`."""

import os
from pathlib import Path

import numpy as np

from mim_tf.config import ModelConfig
from mim_tf.config.stored import from_json
from mim_tf.errors import MimError
from mim_tf.models import VideoPredictor
from mim_tf.runtime.optional import import_tensorflow
from mim_tf.storage.paths import list_folder, read_text

_FILE = "saved_model.pb"


class FromExport:
    """Predicts with the newest version of an export; its horizon is fixed.

    Args:
        folder: with subfolders named 1, 2, ... for its versions, or one of these.
        horizon: frames to predict; None: as many as it does.

    Attributes:
        frame_shape: (H, W, C).
        horizon: frames it predicts.
        context_length: frames it needs; None: any number.
        input_length: frames it was trained with.
        scale: of the frames; None: they are in [0, 1].
        frame_step: time from a frame to the next; empty where it is not known.
        frame_grid: rows and columns of the training; empty where they are not known.

    Raises:
        MimError: if it is damaged, not an export, or has another horizon, or TensorFlow is not
            installed.
    """

    def __init__(self, folder: str | Path, horizon: int | None = None):
        path = _newest_version(folder)
        config = _stored_config(path)
        self.scale, self.input_length = config.scale, config.input_length
        self.frame_step, self.frame_grid = config.frame_step, config.frame_grid
        self._tf = tf = import_tensorflow("to predict with an export")
        try:
            # Kept, because its signature does not keep its weights.
            self._loaded = tf.saved_model.load(str(path))
            self._signature = self._loaded.signatures["serving_default"]
            frames = self._signature.structured_input_signature[1]["frames"]
            predictions = self._signature.structured_outputs["predictions"]
            _, self.context_length, *frame_shape = frames.shape.as_list()
            self.frame_shape = tuple(frame_shape)
            self.horizon = predictions.shape[1] or self._measured_horizon()
        except Exception as error:  # TensorFlow lets many kinds out on damaged files.
            raise MimError(
                f"{path} cannot be used: expected an export with the signature serving_default, "
                f"from frames to predictions ({error}). Make it with mim export."
            ) from None
        if horizon not in (None, self.horizon):
            raise MimError(
                f"{folder} was exported for a horizon of {self.horizon} frames, received "
                f"--horizon={horizon}. Leave it out, export again, or give the weights file."
            )

    def __call__(self, context: np.ndarray) -> np.ndarray:
        """Predictions `[B, horizon, H, W, C]` from `[B, T, H, W, C]`, float32.

        Raises:
            MimError: if the export refuses the frames, or the memory does not suffice.
        """
        try:
            return np.asarray(self._signature(frames=self._tf.constant(context))["predictions"])
        except self._tf.errors.OpError as error:
            raise MimError(
                f"The export cannot predict from frames {list(context.shape)}: {_reason(error)}. "
                "Give such as it takes, or fewer at a time with --batch_size."
            ) from None

    def _measured_horizon(self):
        """The horizon of a graph whose signature does not say it."""
        return self(np.zeros((1, self.context_length or 1, *self.frame_shape), np.float32)).shape[1]


def _stored_config(folder):
    path = folder / "assets" / "model_config.json"
    return from_json(path, read_text(path)) if os.path.isfile(path) else ModelConfig()


def _reason(error):
    """The line in which TensorFlow says what is wrong; before it stands where."""
    lines = [line.strip() for line in str(error).splitlines()]
    where = ("Graph execution error", "Detected at node", "<stack traces", "[[{{node")
    return next((line for line in lines if line and not line.startswith(where)), "no reason given")


def _newest_version(folder):
    folder = Path(folder)
    if os.path.isfile(folder / _FILE):
        return folder
    versions = [
        path for path in list_folder(folder, "a weights file or an export") if path.name.isdecimal()
    ]
    versions = [path for path in versions if os.path.isfile(path / _FILE)]
    if not versions:
        raise MimError(
            f"{folder}: expected a weights file, or a folder made by mim export "
            f"({_FILE}, or subfolders 1, 2, ... with one); found none."
        )
    return max(versions, key=lambda path: int(path.name))


# MERGED: Predictions of a model with its weights.


class FromWeights:
    """Predicts with a model of mim_tf; any context length, any horizon.

    Attributes:
        frame_shape: (H, W, C).
        horizon: frames it predicts.
        context_length: frames it needs; None: any number.
        input_length: frames it was trained with.
        scale: of the frames; None: they are in [0, 1].
        frame_step: time from a frame to the next; empty where it is not known.
        frame_grid: rows and columns of the training; empty where they are not known.
    """

    context_length = None

    def __init__(self, model: VideoPredictor, horizon: int):
        self.frame_shape = model.config.frame_shape
        self.horizon = horizon
        self.input_length = model.config.input_length
        self.scale = model.config.scale
        self.frame_step = model.config.frame_step
        self.frame_grid = model.config.frame_grid
        self._model = model

    def __call__(self, context: np.ndarray) -> np.ndarray:
        """Predictions `[B, horizon, H, W, C]` from `[B, T, H, W, C]`, float32."""
        return self._model.forecast(context, self.horizon, batch_size=len(context))
