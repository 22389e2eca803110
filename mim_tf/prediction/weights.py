"""Predictions of a model with its weights."""

import numpy as np

from mim_tf.models import VideoPredictor


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
