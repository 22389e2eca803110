"""Evaluation of a weights file on the test split."""

import os
from pathlib import Path

from absl import logging

from mim_tf.config import DataConfig, ModelConfig, TrainingConfig
from mim_tf.data.open import open_source
from mim_tf.evaluation.baselines import verdict
from mim_tf.evaluation.evaluate import evaluate
from mim_tf.evaluation.pictures import save_sample
from mim_tf.evaluation.report import format_scores, write_scores
from mim_tf.models import build_model
from mim_tf.presets.find import find_weights
from mim_tf.report.write import write_report_or_warn
from mim_tf.runs.folder import new_run_folder
from mim_tf.runs.record import write_record
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
        The scores, `verdict` and, where `data.test_sha256` is given, whether the sequences have
        it, as text; and the new folder `gen_frm_dir/test-...` of all that is written.

    Raises:
        MimError: for data or weights that do not fit.
    """
    skip_graph_rewriting()
    network = build_model(model)
    load_weights(network, pretrained_model)
    source = open_source(data, model, "test")
    check_step(model.frame_step, source.frame_step)
    folder = new_run_folder(training.gen_frm_dir, "test")
    weights = os.path.realpath(find_weights(pretrained_model))
    record = {"pretrained_model": weights, **source.describe()}
    write_record(folder, model, data, training, {"test": record})

    def save(number, truth, forecast):
        save_sample(folder / str(number), truth, forecast, model.input_length, source.scale)

    result = evaluate(network, source, training, save, protocol)
    write_scores(folder, result, model.input_length)
    write_report_or_warn(folder)
    parts = [format_scores(result, model.input_length), verdict(result)]
    if data.test_sha256:
        parts.append(identity(result, source.size, data.test_sha256))
    return "\n\n".join(parts), folder


def check_step(learnt: str, found: str) -> None:
    """Warns of frames that are not as far apart as in training; "" where that is not known."""
    if learnt and found not in ("", learnt):
        logging.warning(
            "The weights were trained on frames %s apart, these are %s apart: --frame_interval "
            "says which are taken.",
            learnt,
            found,
        )


def identity(result: dict, size: int, expected: str) -> str:
    """A sentence: whether the sequences of an evaluation are those that were to be scored.

    Args:
        result: what `evaluate` returned.
        size: number of sequences there are.
        expected: the SHA-256 of all of them.
    """
    data, count = result["data"], result["sequences"]
    if data["sha256"] == expected:
        return f"These are the {count:,} sequences of --test_sha256."
    if count < size:
        return (
            f"Scored were {count:,} of {size:,} sequences, and --test_sha256 is that of all: "
            "compare these figures with those of the same sequences only."
        )
    digits = f" The digits are: {data['digits_origin']}." if "digits_origin" in data else ""
    return (
        f"These are NOT the sequences of --test_sha256, which is {expected}: theirs is "
        f"{data['sha256']}.{digits} Compare these figures with each other only."
    )
