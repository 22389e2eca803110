"""Memory In Memory (MIM, CVPR 2019) in Keras 3: video prediction for research and production.

Keras takes seconds to import. The names below are imported when they are first used, so that
`import mim_tf` and the start of a command are fast.
"""

import os
from typing import TYPE_CHECKING

# TensorFlow logs at its start, among other things an "error" on every machine without a GPU.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# By default it uses oneDNN only on newer processors, but AVX2 ones train faster with it, too.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

from mim_tf.config import DataConfig, DataSet, ModelConfig, TrainingConfig, register_data_set
from mim_tf.errors import MimError
from mim_tf.runtime.backend import lazy_names
from mim_tf.version import __version__

if TYPE_CHECKING:
    from mim_tf.data.dataset import open_source
    from mim_tf.data.source import SequenceSource
    from mim_tf.jobs.evaluate import evaluate
    from mim_tf.jobs.presets import save_preset
    from mim_tf.models import VideoPredictor, build_model, predict, register_network
    from mim_tf.training.optimizers import compile_for_training
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
    "evaluate",
    "load_model",
    "open_source",
    "predict",
    "register_data_set",
    "register_network",
    "save_preset",
    "save_weights",
]

_ROOMS = "data evaluation layers models prediction serving training weights"
_MODULES = {
    **dict.fromkeys(_ROOMS.split(), ""),
    "SequenceSource": "mim_tf.data.source",
    "VideoPredictor": "mim_tf.models",
    "build_model": "mim_tf.models",
    "compile_for_training": "mim_tf.training.optimizers",
    "evaluate": "mim_tf.jobs.evaluate",
    "load_model": "mim_tf.weights",
    "open_source": "mim_tf.data.dataset",
    "predict": "mim_tf.models",
    "register_network": "mim_tf.models",
    "save_preset": "mim_tf.jobs.presets",
    "save_weights": "mim_tf.weights",
}

__getattr__ = lazy_names(__name__, _MODULES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
