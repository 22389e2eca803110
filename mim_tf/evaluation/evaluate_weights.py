"""Evaluation of a weights file on the test split."""

import os
from pathlib import Path

from mim_tf.config import DataConfig, ModelConfig, TrainingConfig
from mim_tf.data.open import open_source
from mim_tf.evaluation.baselines import verdict
from mim_tf.evaluation.evaluate import evaluate
from mim_tf.evaluation.pictures import save_sample
from mim_tf.evaluation.report import format_scores, write_scores
from mim_tf.models import build_model
from mim_tf.report.write import write_report_or_warn
from mim_tf.runs import new_run_folder, write_record
from mim_tf.start_up import skip_graph_rewriting
from mim_tf.weights import load_weights


def evaluate_weights(
    model: ModelConfig,
    data: DataConfig,
    training: TrainingConfig,
    pretrained_model: str,
    protocol: str = "mim2019",
) -> tuple[str, Path]:
    """Scores a weights file on test sequences and writes scores and pictures.

    Args:
        model: what the weights are of, with the lengths to evaluate.
        data: what to evaluate on.
        training: how; `max_test_sequences` is 0 for all sequences.
        pretrained_model: the weights file.
        protocol: of `PROTOCOLS`.

    Returns:
        The scores and `verdict` as text, and the new folder `gen_frm_dir/test-...` of both.

    Raises:
        MimError: for data or weights that do not fit.
    """
    skip_graph_rewriting()
    network = build_model(model)
    load_weights(network, pretrained_model)
    source = open_source(data, model, "test")
    folder = new_run_folder(training.gen_frm_dir, "test")
    record = {"pretrained_model": os.path.realpath(pretrained_model), **source.describe()}
    write_record(folder, model, data, training, {"test": record})

    def save(number, truth, forecast):
        save_sample(folder / str(number), truth, forecast, model.input_length, source.scale)

    result = evaluate(network, source, training, save, protocol)
    write_scores(folder, result, model.input_length)
    write_report_or_warn(folder)
    return f"{format_scores(result, model.input_length)}\n\n{verdict(result)}", folder
