"""Networks: one time step of each, and the loop over time that all of them share."""

from mim_tf.models import mim  # noqa: F401  (registers the network)
from mim_tf.models.predict import predict
from mim_tf.models.predictor import VideoPredictor, build_model
from mim_tf.models.registry import register_network

__all__ = ["VideoPredictor", "build_model", "predict", "register_network"]
