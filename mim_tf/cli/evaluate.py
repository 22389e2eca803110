"""`mim evaluate`, `mim score` and `mim analyze`: scores of weights, of files, and gates."""

import dataclasses
import glob
import os

from absl import flags, logging

from mim_tf.cli.command import MATCHING, Command, WeightsFlags, import_keras, share_cores
from mim_tf.cli.configs import check_data_flags, data_config, load_network, split_to_score
from mim_tf.cli.flags import given
from mim_tf.config import DataConfig, ModelConfig, TrainingConfig
from mim_tf.config.fields import field
from mim_tf.errors import MimError
from mim_tf.storage.paths import check_folder
from mim_tf.values.text import listed

ALL_SEQUENCES: dict[str, object] = {"max_test_sequences": 0}


@dataclasses.dataclass
class _Evaluate(WeightsFlags):
    carry_stationary_memory: bool = field(
        False,
        "Start each batch with the state S of MIM-S that the batch before left, as OpenSTL does, "
        "instead of S = 0; to compare with scores that it published.",
    )
    probability_matching: bool = field(False, MATCHING)


def _evaluate(values: flags.FlagValues) -> None:
    logging.set_verbosity(logging.INFO)
    weights = values.pretrained_model
    training = TrainingConfig(**ALL_SEQUENCES | given(TrainingConfig, values))
    check_data_flags(values, ("valid_data_paths",))
    share_cores()
    import_keras(values.network_module)
    data = data_config(values, weights)
    from mim_tf.jobs.evaluate import evaluate_weights

    network, split = load_network(values, weights), split_to_score(values, weights, data)
    settings = split, values.carry_stationary_memory, values.probability_matching
    report, folder = evaluate_weights(network, data, training, weights, *settings)
    print(f"{report}\nScores, pictures and report.html are in {folder}.")


EVALUATE = Command(
    "Scores weights on the test split and writes scores and pictures.\n\n"
    "mim evaluate --pretrained_model=run-001/best.weights.h5 --dataset=mnist",
    _evaluate,
    _Evaluate,
    configs=(ModelConfig, DataConfig, TrainingConfig),
    basics=(
        *("pretrained_model", "dataset", "train_data_paths", "valid_data_paths", "total_length"),
        *("protocol", "max_test_sequences", "num_save_samples", "batch_size", "gen_frm_dir"),
    ),
    required=("pretrained_model",),
    defaults=ALL_SEQUENCES,
)


@dataclasses.dataclass
class _Score:
    truth: str = field(
        "",
        "Sequences [N, T, H, W] or [N, T, H, W, C] (.npy, .npz), whose last frames are predicted; "
        "or NetCDF, Zarr or GRIB with the fields of all times: a file, pattern or folder.",
    )
    prediction: str = field(
        "",
        "Forecasts [N, horizon, H, W] or [N, horizon, H, W, C]; or of fields a file, or a pattern "
        "with a forecast a file, matched by the times they are for. A folder holds a file, or a "
        "folder of forecasts, for each of several models.",
    )
    unit: str = field("", "Unit of the values of arrays, such as dBZ.")
    context: int = field(
        2, "Fields of the truth before each forecast, for the baselines; 0: none.", minimum=0
    )


def _score(values: flags.FlagValues) -> None:
    logging.set_verbosity(logging.INFO)
    training = TrainingConfig(**ALL_SEQUENCES | given(TrainingConfig, values))
    for name in ("truth", "prediction"):
        path = getattr(values, name)
        if not os.path.lexists(path) and not glob.glob(path, recursive=True):
            raise MimError(f"{path}: expected the files of --{name}, found no such file.")
    if values["context"].present and values.prediction.lower().endswith((".npy", ".npz")):
        raise MimError("--context is for fields: all frames of arrays before forecasts are used.")
    variables = tuple(filter(None, map(str.strip, values.variables.split(","))))
    import_keras()
    from mim_tf.jobs.score import score_files

    settings = values.thresholds, variables, values.unit, values.context
    text, folders = score_files(values.truth, values.prediction, training, *settings)
    print(f"{text}\nScores, pictures and report.html are in {listed(folders, 'and')}.")


SCORE = Command(
    "Scores forecasts of any model, from files, as mim evaluate does.\n\n"
    "mim score --truth=truth.npy --prediction=forecasts.npy",
    _score,
    _Score,
    fields={
        DataConfig: ("thresholds", "variables"),
        TrainingConfig: (
            *("protocol", "batch_size", "max_test_sequences", "num_save_samples", "gen_frm_dir"),
        ),
    },
    required=("truth", "prediction"),
    defaults=ALL_SEQUENCES,
)


@dataclasses.dataclass
class _Analyze(WeightsFlags):
    sequences: int = field(32, "Test sequences to use.", minimum=1)
    batch_size: int = field(8, "Sequences in a batch.", minimum=1)
    low: float = field(0.1, "Gate values below are saturated.")
    high: float = field(0.9, "Gate values above are saturated.")
    output: str = field("results", "Folder in which analysis-001, ... is created.")


def _analyze(values: flags.FlagValues) -> None:
    logging.set_verbosity(logging.INFO)
    path, low, high = values.pretrained_model, values.low, values.high
    if not 0 < low < high < 1:
        raise MimError(f"Expected 0 < --low < --high < 1, got {low} and {high}.")
    check_folder(values.output, "--output")
    check_data_flags(values, ("valid_data_paths",))
    share_cores()
    import_keras(values.network_module)
    data = data_config(values, path)
    from mim_tf.evaluation.forget_gates import draw
    from mim_tf.jobs.evaluate import analysis_summary, analysis_table, analyze
    from mim_tf.runs.folder import new_run_folder
    from mim_tf.storage.files import csv_bytes, write_bytes, write_json

    network = load_network(values, path)
    split = split_to_score(values, path, data)
    result = analyze(network, data, split, values.sequences, values.batch_size, low, high)
    folder = new_run_folder(values.output, "analysis")
    write_json(folder / "inside.json", result)
    write_bytes(folder / "inside.csv", csv_bytes(analysis_table(result)))
    title = f"{network.config.model_name}: {path}, {result['sequences']} sequences"
    draw(folder / "inside.png", result, network.config.input_length, title)
    print(analysis_summary(result, low, high))
    print(f"The values of every frame, and a figure, are in {folder}.")


ANALYZE = Command(
    "Shows how saturated the gates of a network are, and its memories.\n\n"
    "mim analyze --pretrained_model=FILE.h5 --dataset=mnist\n\n"
    "Writes a table (JSON and CSV) and a figure.",
    _analyze,
    _Analyze,
    configs=(ModelConfig, DataConfig),
    basics=(
        *("pretrained_model", "dataset", "valid_data_paths", "sequences", "batch_size"),
        *("low", "high", "output", "network_module"),
    ),
    required=("pretrained_model",),
)
