"""Trains a network, evaluates it on the way and keeps a record.

mim train --flagfile=experiments/quick.cfg
"""

import dataclasses

from absl import flags, logging

from mim_tf.cli.command import Command, WeightsFlags, import_keras, share_cores
from mim_tf.cli.configs import check_data_flags, model_config, resumed
from mim_tf.cli.flags import given
from mim_tf.config import DataConfig, DeviceConfig, ModelConfig, TrainingConfig
from mim_tf.config.fields import field
from mim_tf.errors import MimError
from mim_tf.runs.folder import check_no_run, last_run, pictures_folder
from mim_tf.runs.record import read_record


@dataclasses.dataclass
class Flags(WeightsFlags):
    """Flags of `mim train` alone, which starts from weights if they are given."""

    resume: bool | str = field(
        False,
        "Resume the newest run in --save_dir from its last snapshot. --resume=auto starts a new "
        "run where there is none.",
    )


def main(values: flags.FlagValues) -> None:
    """Train with configurations from flags."""
    logging.set_verbosity(logging.INFO)
    training = TrainingConfig(**given(TrainingConfig, values))
    check_data_flags(values)
    devices = DeviceConfig(**given(DeviceConfig, values))
    resume = last_run(training.save_dir) if values.resume else None
    if values.resume and not resume:
        check_no_run(training.save_dir)
        if values.resume != "auto":
            raise MimError(
                f"{training.save_dir}: expected a run to resume, got none. Check --save_dir, or "
                "give --resume=auto to start a new run."
            )
    share_cores()
    # Weights are read with Keras, and a module may register the data set.
    is_early = not values.network_module and not values.pretrained_model
    configs = _configs(values, training, resume) if is_early else None
    import_keras(values.network_module)
    from mim_tf.jobs.train import train

    model, data, training = configs or _configs(values, training, resume)
    folder = train(model, data, training, devices, values.pretrained_model, resume)
    if folder:
        pictures = pictures_folder(folder, training.gen_frm_dir)
        print(f"\nThe run is in {folder}, its pictures in {pictures}.")


def _configs(values, training, resume):
    if resume:
        return tuple(resumed(stored, values) for stored in read_record(resume))
    data = DataConfig(**given(DataConfig, values))
    return model_config(values, values.pretrained_model, data), data, training


TRAIN = Command(
    __doc__,
    main,
    Flags,
    configs=(ModelConfig, DataConfig, TrainingConfig, DeviceConfig),
    basics=(
        *("dataset", "train_data_paths", "model_name", "input_length", "total_length", "recipe"),
        *("batch_size", "lr", "max_iterations", "save_dir", "resume", "pretrained_model"),
    ),
)
