"""Configurations from flags, completed by weights, data and earlier runs."""

import dataclasses
import os
from pathlib import Path

from absl import flags, logging

from mim_tf.cli.flags import FLAGS, given
from mim_tf.config import DataConfig, ModelConfig
from mim_tf.config.model import NAMES
from mim_tf.errors import MimError
from mim_tf.runs.folder import RECORD
from mim_tf.runs.record import PATHS
from mim_tf.storage.paths import divided
from mim_tf.weights.by_name import check_weights_exist

_FREE_ON_RESUME = (
    *("max_iterations", "display_interval", "test_interval", "snapshot_interval"),
    *("num_save_samples", "max_test_sequences", "on_nan", "rematerialise"),
    *("save_dir", "gen_frm_dir"),
)


def check_data_flags(values: flags.FlagValues, paths: tuple[str, ...] = PATHS) -> None:
    """Raise `MimError` for wrong flags of data, and for weights or data that do not exist.

    It is called before Keras is imported. Without --dataset a run may say which data set the flags
    belong to, and --network_module may register it. Readers of data check patterns such as *.nc.
    `paths` are the flags with paths that are needed.
    """
    if not values.network_module:
        if values.model_name not in NAMES:
            names = ", ".join(NAMES)
            raise MimError(
                f"Expected a --model_name of {names}, or of your --network_module=FILE.py, got "
                f"{values.model_name!r}."
            )
        if values["dataset"].present:
            DataConfig(**given(DataConfig, values))
    if values.pretrained_model:
        check_weights_exist(values.pretrained_model)
    for name in paths:
        check_paths(getattr(values, name), f"data of --{name}")
    if values.digits not in ("auto", "bundled", "mnist"):
        check_paths(values.digits, "the digits of --digits")


def check_paths(text: str, kind: str) -> None:
    """Raise `MimError` if one of comma separated paths does not exist, or matches no file."""
    for path in divided(text):
        if _is_missing(path):
            commas = " Commas divide paths." if "," in text else ""
            raise MimError(f"{path}: expected {kind}, found no such file.{commas}")


def _is_missing(path):
    return not os.path.lexists(path) and not set("*?[:") & set(path)


def model_config(
    values: flags.FlagValues = FLAGS, weights: str = "", data: DataConfig | None = None
) -> ModelConfig:
    """Return the model's configuration from flags, over the configuration in `weights` if given.

    The `data` to train on gives size and channels of frames that no flag gives. Raises `MimError`
    if a flag contradicts the architecture of `weights`, or they cannot be read.
    """
    if weights:
        from mim_tf.weights.files import read_weights

        return _adapted(read_weights(weights), weights, values)
    changes = given(ModelConfig, values)
    return ModelConfig(**((_frame_sizes(data, changes) if data else {}) | changes))


def load_network(values: flags.FlagValues, weights: str):
    """Build the network of `weights` and load them; flags and errors as for `model_config`."""
    from mim_tf.weights.files import build_from, read_weights

    stored = read_weights(weights)
    return build_from(stored, _adapted(stored, weights, values))


def _adapted(stored, weights, values):
    from mim_tf.weights.files import changed

    changes = given(ModelConfig, values)
    config = stored.config(**changes)
    wanted = changed(config, changes)
    if name := config.conflict(wanted):
        name = name if name in changes else "img_width"  # which changed the height, too
        value, kept = getattr(wanted, name), getattr(config, name)
        raise MimError(f"--{name}={value} contradicts {weights}, where {name} is {kept}.")
    return wanted


def data_config(values: flags.FlagValues, weights: str) -> DataConfig:
    """Return the data's configuration from flags, over the run that `weights` come from.

    The run's record gives all that flags do not, unless --dataset is another. The same data is
    split as in training, so that no training sequence is tested on. Other --train_data_paths alone
    are divided; other --valid_data_paths alone are tested on as a whole, if the run has training
    paths. Raises `MimError` if the record cannot be read and no --dataset is given.
    """
    stored = data_of_run(weights, required=not values["dataset"].present)
    if stored:
        values.set_default("dataset", stored.dataset)
    changes = given(DataConfig, values)
    if not stored or changes.get("dataset", stored.dataset) != stored.dataset:
        warn_of_interval(weights, stored, changes.get("frame_interval"))
        return DataConfig(**changes)
    if changes.get("crop") == 0:  # whole frames, for weights that were trained on crops
        changes = {"wet_share": 0.0, "turned": False} | changes
    if not _is_same_data(changes, stored):
        if changes.get("train_data_paths"):
            changes = {"valid_data_paths": ""} | changes
        elif missing := [path for path in divided(stored.train_data_paths) if _is_missing(path)]:
            logging.warning(
                "%s, on which these weights were trained, is not here: check that no sequence of "
                "it is in --valid_data_paths.",
                missing[0],
            )
    found = dataclasses.replace(stored, **changes)
    settings = [
        f"--{name}={','.join(map(str, kept)) if isinstance(kept, tuple) else kept}"
        for name, kept, _ in _differences(found, DataConfig())
        if name not in changes
    ]
    if settings:
        logging.info("As in %s: %s", Path(weights).parent / RECORD, " ".join(settings))
    return found


def split_to_score(values: flags.FlagValues, weights: str, data: DataConfig) -> str:
    """Return the split to test on: "test", or "all" of --valid_data_paths alone.

    It is "all" if the weights learnt elsewhere: those of the package, of 2019, or of a run on other
    data. Of a file that no run is known of, the rest may have been trained on, so it is divided,
    and the log says so.
    """
    from mim_tf.data.split import ALL, split_paths

    paths, shared = split_paths(data, "test")
    divides = {"valid_fraction", "test_fraction", "split_dates"} & set(data.declared.settings)
    if not shared or not values["valid_data_paths"].present or not divides:
        return "test"
    changes = given(DataConfig, values)
    stored = data_of_run(weights, required=False)
    is_elsewhere = not _is_same_data(changes, stored) if stored else not os.path.isfile(weights)
    if is_elsewhere and not divides & set(changes):
        return ALL
    words = "%s is divided as in training, and only its test split is scored (--test_fraction)."
    logging.info(words, ", ".join(map(str, paths)))
    return "test"


def warn_of_interval(weights: str, stored: DataConfig | None, interval: int | None) -> None:
    """Log a warning if weights saw every Nth frame of `stored`, and no `interval` is given."""
    if stored and stored.frame_interval > 1 and not interval:
        logging.warning(
            "%s: the network was trained with --frame_interval=%d, and gets every frame here. Give "
            "the flag, so that frames are as far apart as in training.",
            *(weights, stored.frame_interval),
        )


def data_of_run(weights: str, required: bool) -> DataConfig | None:
    """Return the data that weights were trained on; None if no run is known.

    A record that cannot be read raises `MimError` if it is `required`, or logs a warning.
    """
    from mim_tf.runs.record import read_record

    folder = Path(weights).parent
    if os.path.isfile(weights) and os.path.lexists(folder / RECORD):
        try:
            return read_record(folder)[1]
        except MimError as error:
            if required:
                raise MimError(f"{error} Or give --dataset.") from None
            logging.warning("%s", error)
    return None


def _is_same_data(changes, stored):
    """Return whether the paths that are given, if any, are those of the run."""
    # One path may be given as training or as validation data.
    paths = [name for name in PATHS if name in changes]
    from mim_tf.data.split import named_paths

    ours = {name: named_paths(changes.get(name, "")).keys() for name in PATHS}
    theirs = {name: named_paths(getattr(stored, name)).keys() for name in PATHS}
    is_each = all(ours[name] == theirs[name] for name in paths)
    return is_each or set().union(*ours.values()) == set().union(*theirs.values())


def _frame_sizes(data, changes):
    from mim_tf.data.dataset import frame_shape
    from mim_tf.data.split import needed_paths

    names = ("img_height", "img_width", "img_channel")
    shape = frame_shape(data)
    if shape is None:
        needed_paths(data, "train")  # raises if there are none
    sizes = dict(zip(names, shape or (), strict=False))
    if data.resize:
        return {name: size for name, size in sizes.items() if name == "img_channel"}
    if "img_width" in changes:  # Without --img_height, the height follows --img_width.
        sizes.pop("img_height", None)
    return sizes


def resumed(stored, values: flags.FlagValues):
    """Return a configuration of the run to resume, with the flags that may change.

    Raises `MimError` if a flag was given that would make it another run.
    """
    if isinstance(stored, DataConfig):
        values.set_default("dataset", stored.dataset)
    changes = given(type(stored), values)
    if changes.get("precision") == "auto":  # It was chosen when the run started.
        del changes["precision"]
    if changes.get("max_minutes") and "max_iterations" in changes:  # Both, as in a flagfile.
        del changes["max_iterations"]
        logging.warning(
            "max_iterations stays %d: add --max_minutes=0 to change it.", stored.max_iterations
        )
    wanted = dataclasses.replace(stored, **changes)
    for name, value, kept in _differences(wanted, stored):
        if name in PATHS and value and kept:  # Data may have been moved.
            logging.warning("%s is %s now, and was %s.", name, value, kept)
        elif name not in _FREE_ON_RESUME and (name, value) != ("max_minutes", 0):
            raise MimError(f"--{name}={value} differs from the run to resume, with {kept}.")
    return wanted


def _differences(wanted, stored):
    """Yield (name, wanted, stored) of each field that differs."""
    for name, value in vars(wanted).items():
        if value != getattr(stored, name):
            yield name, value, getattr(stored, name)
