"""Memory In Memory (MIM, CVPR 2019) in Keras 3: video prediction for research and production."""

import importlib
import os
import sys
from typing import TYPE_CHECKING

# TensorFlow's notes at its start, one of them an "error" on every machine without a GPU.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from mim_tf.config import DataConfig, ModelConfig, TrainingConfig
from mim_tf.errors import MimError
from mim_tf.version import __version__

# Keras takes seconds to import, and commands answer a mistyped flag without it. Where Keras is
# there already, all is imported at once: importing mim_tf is what makes our layers known to
# `keras.saving.load_model`.
if TYPE_CHECKING or sys.modules.get("keras"):
    from mim_tf.data.open import open_source
    from mim_tf.data.source import SequenceSource
    from mim_tf.models import VideoPredictor, build_model, predict, register_network
    from mim_tf.training.compile import compile_for_training
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


def __getattr__(name):
    """The first use of anything that needs Keras imports it all."""
    if name.startswith("_") or "load_model" in globals():
        raise AttributeError(f"module 'mim_tf' has no attribute {name!r}")
    importlib.import_module("keras")
    return getattr(importlib.reload(sys.modules[__name__]), name)
