"""Memory In Memory (MIM, CVPR 2019) in Keras 3: video prediction for research and production."""

import os

# TensorFlow's notes at its start, one of them an "error" on every machine without a GPU.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from mim_tf.config import DataConfig, ModelConfig, TrainingConfig
from mim_tf.data.open import open_source
from mim_tf.data.source import SequenceSource
from mim_tf.errors import MimError
from mim_tf.models import VideoPredictor, build_model, predict, register_network
from mim_tf.training.compile import compile_for_training
from mim_tf.version import __version__
from mim_tf.weights import load_model, save_weights

__all__ = [
    "DataConfig",
    "MimError",
    "ModelConfig",
    "SequenceSource",
    "TrainingConfig",
    "VideoPredictor",
    "__version__",
    "build_model",
    "compile_for_training",
    "load_model",
    "open_source",
    "predict",
    "register_network",
    "save_weights",
]
