"""Scores weights on the test split and writes scores and pictures.

mim evaluate --pretrained_model=run-001/best.weights.h5 --dataset=mnist
"""

from absl import flags, logging

from mim_tf.cli.command import Command, define_network_flag, import_keras, share_cores
from mim_tf.cli.configs import check_data_flags, data_config, model_config
from mim_tf.cli.flags import given
from mim_tf.config import DataConfig, ModelConfig, TrainingConfig

ALL_SEQUENCES = {"max_test_sequences": 0}


def main(values: flags.FlagValues) -> None:
    """Wires flags, configurations and the evaluation."""
    logging.set_verbosity(logging.INFO)
    training = TrainingConfig(**ALL_SEQUENCES | given(TrainingConfig, values))
    check_data_flags(values)
    share_cores()
    import_keras(values.network_module)
    data = data_config(values, values.pretrained_model)
    from mim_tf.jobs.evaluate import evaluate_weights

    model = model_config(values, values.pretrained_model)
    pretrained_model = values.pretrained_model
    report, folder = evaluate_weights(model, data, training, pretrained_model, training.protocol)
    print(f"{report}\nScores, pictures and report.html are in {folder}.")


def define_flags(values: flags.FlagValues) -> None:
    """Defines the flags of `mim evaluate` alone."""
    flags.DEFINE_string(
        "pretrained_model",
        "",
        "Weights to evaluate: a file, a name of mim presets, or the prefix of a TensorFlow 1 "
        "checkpoint. Their architecture is used; a flag that contradicts it is an error.",
        flag_values=values,
    )
    define_network_flag(values)


COMMAND = Command(
    __doc__,
    main,
    define_flags,
    configs=(ModelConfig, DataConfig, TrainingConfig),
    required=("pretrained_model",),
    defaults=ALL_SEQUENCES,
)
