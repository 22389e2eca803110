"""The configuration of a model as JSON, as it stands in weights files."""

import dataclasses
import json
from os import PathLike

from mim_tf.config import ModelConfig
from mim_tf.errors import MimError
from mim_tf.storage.paths import parse_json
from mim_tf.values.scale import LinearScale
from mim_tf.version import __version__

ATTRIBUTE = "mim_tf"
"""Attribute of a weights file that holds the configuration, as `to_json` writes it."""

_OF_TRAINING = {
    "scheduled_sampling",
    "sampling_stop_iter",
    "sampling_start_value",
    "sampling_changing_rate",
    "updates_per_iteration",
}
"""Settings of training, which files of version 0.1 held too."""


def to_json(config: ModelConfig) -> str:
    """The configuration with the version that writes it."""
    return json.dumps({"version": __version__, "model": dataclasses.asdict(config)})


def from_json(path: str | PathLike, text: str) -> ModelConfig:
    """The configuration in `text`, which stands in the file at `path`.

    Raises:
        MimError: if it is damaged or was written by a later version.
    """
    try:
        content = parse_json(text)
        stored, version = dict(content["model"]), str(content["version"])
    except (ValueError, TypeError, KeyError):
        raise MimError(f"{path} is damaged: its configuration cannot be read.") from None
    stored = {name: value for name, value in stored.items() if name not in _OF_TRAINING}
    fields = {field.name: field.default for field in dataclasses.fields(ModelConfig)}
    unknown = sorted(set(stored) - set(fields))
    if unknown:
        raise MimError(
            f"{path} was written by mim_tf {version} and has settings this version, "
            f"{__version__}, does not know: {', '.join(unknown)}. Install the newer version."
        )
    try:
        stored["scale"] = stored.get("scale") and LinearScale(**stored["scale"])
    except (TypeError, MimError) as error:
        raise MimError(f"{path} is damaged: its scale cannot be used: {error}") from None
    for name, value in stored.items():
        if name not in ("scale", "frame_grid") and not _same_kind(value, fields[name]):
            raise MimError(
                f"{path} is damaged: its {name} should be like {fields[name]!r}, received "
                f"{value!r}."
            )
    try:
        return ModelConfig(**stored)
    except MimError as error:
        raise MimError(f"{path} is damaged: {error}") from None


def _same_kind(value: object, default: object) -> bool:
    """Whether a value from JSON can be that of a field with this default."""
    if isinstance(default, tuple):
        return isinstance(value, list) and all(_same_kind(item, default[0]) for item in value)
    return type(value) is type(default)
