"""The record of a run, `run.json`: settings, data, backend, versions and commands."""

import dataclasses
import datetime
import glob
import importlib.metadata
import os
import platform
import sys
from pathlib import Path

from absl import logging

from mim_tf.config import DataConfig, ModelConfig, TrainingConfig
from mim_tf.config.data import used_settings
from mim_tf.errors import MimError
from mim_tf.runs.folder import RECORD
from mim_tf.storage.files import read_json, write_json
from mim_tf.storage.paths import divided
from mim_tf.version import __version__

PATHS = ("train_data_paths", "valid_data_paths")


def write_record(
    folder: Path,
    model: ModelConfig,
    data: DataConfig,
    training: TrainingConfig,
    sources: dict[str, dict],
    pretrained_model: str = "",
) -> None:
    """Write the record of a new run; a user's own network is recorded by file and SHA-256."""
    import keras

    from mim_tf.models.registry import source_of

    record = {
        "started": _now(),
        "command": sys.argv,
        "folder": os.getcwd(),
        "model": dataclasses.asdict(model),
        "data": dataclasses.asdict(data),
        "training": dataclasses.asdict(training),
        "pretrained_model": whole_path(pretrained_model),
        "network_module": source_of(model.model_name),
        "sources": sources,
        "backend": keras.backend.backend(),
        "versions": {
            "mim_tf": __version__,
            "python": platform.python_version(),
            **{name: _version(name) for name in ("keras", "tensorflow", "jax", "numpy")},
        },
    }
    write_json(folder / RECORD, record)


def whole_path(weights: str) -> str:
    """Return the path of a weights file as seen from any folder; a name of weights as it is."""
    return os.path.realpath(weights) if os.path.isfile(weights) else weights


def update_record(folder: Path, data: DataConfig, training: TrainingConfig) -> None:
    """Write the settings a run is resumed with, and add the time and command to the record.

    Raises `MimError` if the record cannot be read, and `OSError` if it cannot be written.
    """
    record = read_json(folder / RECORD)
    earlier = record.get("resumed")
    earlier = earlier if isinstance(earlier, list) else []
    began = record["training"].get("max_iterations")
    sampling = training.scheduled_sampling and training.sampling_share
    if training.max_iterations != began and (training.short_share or sampling):
        logging.warning(
            "Short sequences and scheduled sampling end after shares of --max_iterations, which is "
            "%d now, and was %s.",
            *(training.max_iterations, began),
        )
    if training.max_iterations != began and training.lr_schedule == "cosine":
        logging.warning(
            "The learning rate falls to 0 at --max_iterations, which is %d now, and was %s. It may "
            "jump. --lr_schedule=wsd is for runs without a known end.",
            *(training.max_iterations, began),
        )
    settings = dataclasses.asdict(data)
    for name in PATHS if record.get("folder") != os.getcwd() else ():
        settings[name] = ",".join(map(os.path.abspath, divided(settings[name])))
    record |= {
        "data": settings,
        "training": dataclasses.asdict(training),
        "resumed": [*earlier, {"time": _now(), "command": sys.argv}],
    }
    write_json(folder / RECORD, record)


def read_record(folder: Path) -> tuple[ModelConfig, DataConfig, TrainingConfig]:
    """Return the settings in the record.

    Paths of data are as seen from the folder in which the run was started, if the data is there.
    Raises `MimError` if it is missing or corrupted, or has settings unknown to this version.
    """
    path = folder / RECORD
    record = read_json(path)
    try:
        return (
            ModelConfig(**record["model"]),
            DataConfig(**used_settings(_found(record))),
            TrainingConfig(**record["training"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MimError(
            f"{path} is corrupted: expected the settings of a run, got {error}. Restore a copy "
            "of it, or start a new run with --pretrained_model."
        ) from None


def _found(record):
    data, folder = dict(record["data"]), record.get("folder")  # not in records of 1.7 and before
    for name in PATHS:
        if folder and folder != os.getcwd() and (text := data.get(name)):
            is_one = os.path.lexists(os.path.join(folder, text))  # with a comma in its name
            names = [text] if is_one else map(str.strip, text.split(","))
            paths = [os.path.join(folder, each) for each in names]
            if all(os.path.lexists(path) or glob.glob(path) for path in paths):
                data[name] = ",".join(paths)
    return data


def check_unchanged(folder: Path, model: ModelConfig, sources: dict[str, dict]) -> None:
    """Log a warning if the file of a user's own network has changed since the run was started.

    Another one if a split has another number of sequences, or digits, than at the start.
    """
    from mim_tf.models.registry import source_of

    record = read_json(folder / RECORD)
    then, here = record.get("network_module"), source_of(model.model_name)
    if isinstance(then, dict) and here and then.get("sha256") != here["sha256"]:
        logging.warning(
            "%s differs from %s, with which %s was started.", here["path"], then.get("path"), folder
        )
    splits = record.get("sources")
    for split, now in sources.items():
        known = splits.get(split) if isinstance(splits, dict) else None
        known = known if isinstance(known, dict) else {}
        digits = now.get("digits_sha256")
        if known.get("digits_sha256", digits) != digits:
            logging.warning(
                "%s was started with other digits of %s (%s) than now (%s). Give them as --digits.",
                *(folder, split, known.get("digits_origin"), now.get("digits_origin")),
            )
        count = known.get("sequences")
        if count is not None and count != now["sequences"]:
            logging.warning(
                "%s was started with %s %s sequences, and has %s now. Sequences to train on and to "
                "validate on may have been exchanged. Restore the data, or start a new run.",
                *(folder, count, split, now["sequences"]),
            )


def _now():
    return datetime.datetime.now().astimezone().isoformat(timespec="seconds")


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
