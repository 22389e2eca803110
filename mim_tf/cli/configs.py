"""Configurations from flags, and from what weights, data and earlier runs say."""

import dataclasses
import os
from pathlib import Path

from absl import flags, logging

from mim_tf.cli.flags import FLAGS, given
from mim_tf.config import ARCHITECTURE_FIELDS, DataConfig, ModelConfig
from mim_tf.errors import MimError
from mim_tf.runs.folder import RECORD

_FREE_ON_RESUME = {
    "max_iterations",
    "display_interval",
    "test_interval",
    "snapshot_interval",
    "num_save_samples",
    "max_test_sequences",
    "on_nan",
    "rematerialise",
    "save_dir",
    "gen_frm_dir",
}
_PATHS = ("train_data_paths", "valid_data_paths")


def model_config(
    values: flags.FlagValues = FLAGS, weights: str = "", data: DataConfig | None = None
) -> ModelConfig:
    """The flags of the model, over what `weights` say or else what `data` says.

    Args:
        values: the flags.
        weights: a path of weights, or empty.
        data: what to train on: gives sizes and channels of frames that no flag gives.

    Raises:
        MimError: if a flag contradicts the architecture of `weights`, or they cannot be read.
    """
    changes = given(ModelConfig, values)
    if not weights:
        sizes = _frame_sizes(data, changes) if data else {}
        return ModelConfig(**{**sizes, **changes})
    from mim_tf.weights import stored_config  # imports Keras, which takes seconds

    stored = stored_config(weights, **changes)
    wanted = dataclasses.replace(stored, **changes)
    for name, value, kept in _differences(wanted, stored):
        if name in ARCHITECTURE_FIELDS:
            raise MimError(
                f"--{name}={value} contradicts {weights}, where {name} is {kept}. "
                "Leave the flag out: the architecture comes from the file."
            )
    return wanted


def check_data_flags(values: flags.FlagValues) -> None:
    """Check the flags of the data before Keras is imported, as far as that can be done.

    Without --dataset a run may say which data set they belong to; --network_module may register it.
    """
    if not values.network_module and values["dataset"].present:
        DataConfig(**given(DataConfig, values))


def data_config(values: flags.FlagValues, weights: str) -> DataConfig:
    """The flags of the data, over those of the run that `weights` are of, where it is the same.

    So it is divided as it was in training, and no sequence that was trained on is tested on.

    Args:
        values: the flags.
        weights: a path of weights.
    """
    stored = _data_of_run(weights)
    if stored:
        values.set_default("dataset", stored.dataset)
    changes = given(DataConfig, values)
    if not stored or not _is_same_data(changes, stored):
        return DataConfig(**changes)
    found = dataclasses.replace(stored, **changes)
    taken = {
        name: kept for name, kept, _ in _differences(found, DataConfig()) if name not in changes
    }
    if taken:
        settings = " ".join(f"--{name}={_text(value)}" for name, value in taken.items())
        logging.info("As in %s: %s", Path(weights).parent / RECORD, settings)
    return found


def _data_of_run(weights):
    """The data that weights were trained on; None where no run is known."""
    from mim_tf.runs.record import read_record  # imports Keras, which takes seconds

    folder = Path(weights).parent
    if not os.path.isfile(weights) or not os.path.lexists(folder / RECORD):
        return None
    try:
        return read_record(folder)[1]
    except MimError as error:
        logging.warning("%s", error)
        return None


def _is_same_data(changes, stored):
    """Whether flags name the data that `stored` does, or none; one path may be given as either."""
    given_paths = [name for name in _PATHS if name in changes]
    if "dataset" not in changes and not given_paths:
        return True
    from mim_tf.data.split import named_paths

    ours = {name: named_paths(changes.get(name, "")).keys() for name in _PATHS}
    theirs = {name: named_paths(getattr(stored, name)).keys() for name in _PATHS}
    is_each = bool(given_paths) and all(ours[name] == theirs[name] for name in given_paths)
    is_same_set = set.union(*map(set, ours.values())) == set.union(*map(set, theirs.values()))
    return changes.get("dataset", stored.dataset) == stored.dataset and (is_each or is_same_set)


def _text(value):
    return ",".join(map(str, value)) if isinstance(value, tuple) else value


def _frame_sizes(data, changes):
    from mim_tf.data.dataset import frame_shape  # imports Keras, which takes seconds

    shape = frame_shape(data)
    if shape is None:
        return {}
    height, width, channels = shape
    sizes = {"img_channel": channels}
    if not data.resize:
        sizes["img_width"] = width
        if "img_width" not in changes:  # a height that is left out follows a width that is given
            sizes["img_height"] = height
    return sizes


def resumed(stored, values: flags.FlagValues = FLAGS):
    """A configuration of the run to go on with, with the flags that may change meanwhile.

    Raises:
        MimError: if a flag that was set would make it another run.
    """
    if isinstance(stored, DataConfig):
        values.set_default("dataset", stored.dataset)
    changes = given(type(stored), values)
    if changes.get("precision") == "auto":  # chosen when the run started
        del changes["precision"]
    wanted = dataclasses.replace(stored, **changes)
    for name, value, kept in _differences(wanted, stored):
        if name in _PATHS and value and kept:  # data may have been moved
            logging.warning("%s is %s now, and was %s.", name, value, kept)
        elif name not in _FREE_ON_RESUME:
            raise MimError(
                f"--{name}={value} differs from the run to resume, where it is {kept}. Leave the "
                "flag out, or start a new run without --resume."
            )
    return wanted


def _differences(wanted, stored):
    """(name, wanted, stored) of each field that differs, an img_height of 0 resolved in both."""
    for name, value in vars(wanted).items():
        if value != getattr(stored, name):
            yield name, value, getattr(stored, name)
