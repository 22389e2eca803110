"""Shows how saturated the gates of a network are, and its memories.

    mim analyze --pretrained_model=FILE.h5 --dataset=mnist

Writes a table (JSON and CSV) and a figure.
"""

import csv

from absl import flags, logging

from mim_tf.cli.command import Command, define_network_flag, import_keras
from mim_tf.cli.configs import check_data_flags, data_config, model_config
from mim_tf.config import DataConfig, ModelConfig


def main(values: flags.FlagValues) -> None:
    """Wires flags, `analyze` and what it writes."""
    logging.set_verbosity(logging.INFO)
    check_data_flags(values)
    import_keras(values.network_module)
    data = data_config(values, values.pretrained_model)
    from mim_tf.evaluation.forget_gates import draw
    from mim_tf.jobs.analyze import analyze, summary, table
    from mim_tf.runs.folder import new_run_folder
    from mim_tf.storage.files import write_json

    path, low, high = values.pretrained_model, values.low, values.high
    config = model_config(values, path)
    result = analyze(path, config, data, values.sequences, values.batch_size, low, high)
    folder = new_run_folder(values.output, "analysis")
    write_json(folder / "inside.json", result)
    with (folder / "inside.csv").open("w", newline="") as file:
        csv.writer(file).writerows(table(result))
    title = f"{config.model_name}: {path}, {result['sequences']} sequences"
    draw(folder / "inside.png", result, config.input_length, title)
    print(summary(result, low, high))
    print(f"The values of every frame, and a figure, are in {folder}.")


def define_flags(values: flags.FlagValues) -> None:
    """Defines the flags of `mim analyze` alone."""
    define = {"flag_values": values}
    flags.DEFINE_string("pretrained_model", None, "Weights to look into.", **define)
    flags.DEFINE_integer("sequences", 32, "Test sequences to look at.", lower_bound=1, **define)
    flags.DEFINE_integer("batch_size", 8, "Sequences in a batch.", lower_bound=1, **define)
    flags.DEFINE_float("low", 0.1, "Gate values below are saturated.", **define)
    flags.DEFINE_float("high", 0.9, "Gate values above are saturated.", **define)
    flags.DEFINE_string("output", "results", "Folder; analysis-001, ... is made in it.", **define)
    define_network_flag(values)


COMMAND = Command(
    __doc__,
    main,
    define_flags,
    configs=(ModelConfig, DataConfig),
    required=("pretrained_model",),
)
