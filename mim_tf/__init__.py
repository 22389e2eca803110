"""Memory In Memory (MIM, CVPR 2019) in Keras 3: video prediction for research and production."""

import importlib
import os
from typing import TYPE_CHECKING

# TensorFlow's notes at its start, one of them an "error" on every machine without a GPU.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from mim_tf.config import DataConfig, DataSet, ModelConfig, TrainingConfig, register_data_set
from mim_tf.errors import MimError
from mim_tf.runtime.backend import prepare
from mim_tf.version import __version__

if TYPE_CHECKING:
    from mim_tf.data.dataset import open_source
    from mim_tf.data.source import SequenceSource
    from mim_tf.jobs.presets import save_preset
    from mim_tf.models import VideoPredictor, build_model, predict, register_network
    from mim_tf.training.compile import compile_for_training
    from mim_tf.weights import load_model, save_weights

__all__ = [
    "DataConfig",
    "DataSet",
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
    "register_data_set",
    "register_network",
    "save_preset",
    "save_weights",
]

# Keras takes seconds to import, and commands answer a mistyped flag without it.
_NEED_KERAS = {
    "SequenceSource": "mim_tf.data.source",
    "VideoPredictor": "mim_tf.models",
    "build_model": "mim_tf.models",
    "compile_for_training": "mim_tf.training.compile",
    "load_model": "mim_tf.weights",
    "open_source": "mim_tf.data.dataset",
    "predict": "mim_tf.models",
    "register_network": "mim_tf.models",
    "save_preset": "mim_tf.jobs.presets",
    "save_weights": "mim_tf.weights",
}


_ROOMS = (
    "data",
    "evaluation",
    "layers",
    "models",
    "prediction",
    "serving",
    "training",
    "weights",
)


def __getattr__(name: str) -> object:
    """What needs Keras, and the rooms of the package, at their first use."""
    if name in _ROOMS:
        return importlib.import_module(f"mim_tf.{name}")
    if name not in _NEED_KERAS:
        raise AttributeError(f"module 'mim_tf' has no attribute {name!r}")
    return getattr(importlib.import_module(_NEED_KERAS[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


prepare()
