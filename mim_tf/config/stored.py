"""The configuration of a model as JSON, stored in every weights file."""

import dataclasses
import json
from os import PathLike

from mim_tf.config import ModelConfig
from mim_tf.errors import MimError
from mim_tf.storage.paths import parse_json
from mim_tf.version import __version__

ATTRIBUTE = "mim_tf"
"""Attribute of a weights file that holds the configuration, written by `to_json`."""

_OF_TRAINING = {
    *("scheduled_sampling", "sampling_stop_iter", "sampling_start_value"),
    *("sampling_changing_rate", "updates_per_iteration"),
}
"""Training settings that files of version 0.1 contain, too."""


def to_json(config: ModelConfig) -> str:
    """Return the configuration and the version of mim_tf as JSON."""
    return json.dumps({"version": __version__, "model": dataclasses.asdict(config)})


def from_json(path: str | PathLike, text: str) -> ModelConfig:
    """Return the configuration in `text`, which is in the file `path`.

    Raises `MimError` if the text is corrupted or a later version wrote it.
    """
    try:
        content = parse_json(text)
        stored, version = dict(content["model"]), str(content["version"])
    except (ValueError, TypeError, KeyError):
        raise MimError(f"{path} is corrupted: its configuration cannot be read.") from None
    stored = {name: value for name, value in stored.items() if name not in _OF_TRAINING}
    if unknown := sorted(stored.keys() - ModelConfig.__dataclass_fields__):
        raise MimError(f"{path} has {', '.join(unknown)} of a later mim_tf. Install {version}.")
    try:
        return ModelConfig(**stored)
    except (TypeError, MimError) as error:
        raise MimError(f"{path} is corrupted: {error}") from None


def check_architecture(
    path: str | PathLike, stored: ModelConfig, model: ModelConfig, difference: str = ""
) -> None:
    """Raise `MimError` if the model of a file and the model to load into have other architectures.

    `difference` describes the first weight that differs, if it is known.
    """
    if name := stored.conflict(model, with_size=bool(difference)):
        there, here = getattr(stored, name), getattr(model, name)
        raise MimError(
            f"{path} holds weights of another architecture: its {name} is {there}, the model's "
            f"{here}. {difference + ' ' if difference else ''}Call mim_tf.load_model without this "
            "setting, or leave out the flag."
        )
