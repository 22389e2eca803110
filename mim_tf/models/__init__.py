"""Networks: one time step of each, and the loop over time that all of them share."""

# The networks register themselves.
from mim_tf.models import networks  # noqa: F401
from mim_tf.models.forecast import predict
from mim_tf.models.predictor import VideoPredictor, build_model
from mim_tf.models.registry import register_network
from mim_tf.models.rollout import (
    cell_settings,
    frame_input,
    state_inputs,
    step_model,
    to_frame,
    to_patches,
)

__all__ = [
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
