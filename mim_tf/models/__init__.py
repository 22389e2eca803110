"""The networks: one time step of each, and the loop over time that all share."""

# Importing the module registers its networks.
from mim_tf.models import networks  # noqa: F401
from mim_tf.models.predictor import VideoPredictor, build_model, predict
from mim_tf.models.registry import register_network
from mim_tf.models.rollout import (
    StepEnds,
    cell_settings,
    frame_input,
    state_inputs,
    step_model,
    to_frame,
    to_patches,
)

__all__ = [
    "StepEnds",
    "VideoPredictor",
    "build_model",
    "cell_settings",
    "frame_input",
    "predict",
    "register_network",
    "state_inputs",
    "step_model",
    "to_frame",
    "to_patches",
]
