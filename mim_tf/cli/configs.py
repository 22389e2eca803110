"""Configurations from flags, and from what weights, data and earlier runs say."""

import dataclasses

from absl import flags

from mim_tf.cli.flags import FLAGS, given
from mim_tf.config import ARCHITECTURE_FIELDS, DataConfig, ModelConfig
from mim_tf.errors import MimError

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


def _frame_sizes(data, changes):
    from mim_tf.data.open import frame_shape  # imports Keras, which takes seconds

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
    changes = given(type(stored), values)
    if changes.get("precision") == "auto":  # chosen when the run started
        del changes["precision"]
    wanted = dataclasses.replace(stored, **changes)
    for name, value, kept in _differences(wanted, stored):
        if name not in _FREE_ON_RESUME:
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
