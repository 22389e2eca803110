"""Configurations of model, data, training and devices; every default stands once, here.

Field names are those of the 2019 code's flags. `mim_tf.cli.flags` makes a flag of every field.
"""

from mim_tf.config.data import DataConfig
from mim_tf.config.datasets import DataSet, register_data_set
from mim_tf.config.model import ABLATION_FIELDS, SIZE_FIELDS, ModelConfig
from mim_tf.config.training import RECIPES, DeviceConfig, TrainingConfig

__all__ = [
    "ABLATION_FIELDS",
    "RECIPES",
    "SIZE_FIELDS",
    "DataConfig",
    "DataSet",
    "DeviceConfig",
    "ModelConfig",
    "TrainingConfig",
    "register_data_set",
]
