"""Trains a network, evaluates it on the way and keeps a record.

mim train --flagfile=experiments/quick.cfg
"""

from absl import flags, logging

from mim_tf.cli.command import Command, define_network_flag, import_keras, share_cores
from mim_tf.cli.configs import check_data_flags, model_config, resumed
from mim_tf.cli.flags import given
from mim_tf.config import DataConfig, DeviceConfig, ModelConfig, TrainingConfig


def main(values: flags.FlagValues) -> None:
    """Wires flags, configurations and `train`."""
    logging.set_verbosity(logging.INFO)
    training = TrainingConfig(**given(TrainingConfig, values))
    check_data_flags(values)
    devices = DeviceConfig(**given(DeviceConfig, values))
    share_cores()
    import_keras(values.network_module)
    from mim_tf.jobs.train import train
    from mim_tf.runs.folder import check_no_run, last_run, pictures_folder
    from mim_tf.runs.record import read_record

    resume = last_run(training.save_dir) if values.resume else None
    if resume:
        model, data, training = (resumed(stored, values) for stored in read_record(resume))
    else:
        if values.resume:
            check_no_run(training.save_dir)
            logging.warning("No run in %s: starting a new one.", training.save_dir)
        data = DataConfig(**given(DataConfig, values))
        model = model_config(values, values.pretrained_model, data)
    folder = train(model, data, training, devices, values.pretrained_model, resume)
    if folder:
        pictures = pictures_folder(folder, training.gen_frm_dir)
        print(f"\nThe run is in {folder}, its pictures in {pictures}.")


def define_flags(values: flags.FlagValues) -> None:
    """Defines the flags of `mim train` alone."""
    flags.DEFINE_string(
        "pretrained_model",
        "",
        "Weights to start from: a file, a name of mim presets, or the prefix of a TensorFlow 1 "
        "checkpoint. Their architecture is used; a flag that contradicts it is an error.",
        flag_values=values,
    )
    flags.DEFINE_boolean(
        "resume",
        False,
        "Go on with the newest run in --save_dir from its last snapshot.",
        flag_values=values,
    )
    define_network_flag(values)


COMMAND = Command(
    __doc__,
    main,
    define_flags,
    configs=(ModelConfig, DataConfig, TrainingConfig, DeviceConfig),
)
